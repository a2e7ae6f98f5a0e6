"""The server of predictions: connections and their limits, and the model behind them."""
