"""Why a model cannot be exported: which rule of the module contract it breaks, and where."""
