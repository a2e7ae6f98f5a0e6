"""A run of training, from its folder's first file to its last."""

import math
import time

from tqdm import tqdm

from .checkpoint import Weights, load_state, same_model_expected, save_state
from .checkpoint_folder import STATE, CheckpointFolder
from .console import say
from .errors import InputError
from .evaluation import Evaluation, evaluate
from .memory import forget_peak, peak_memory
from .metrics import MetricsLog, Record
from .optimizer import rates_at
from .signals import Stopped, StopSignals
from .training import Trainer


class Run:
    """Train to the last epoch, and keep all of it in the run's folder.

    Rank zero alone prints and writes; what fails there fails everywhere.

    Args:
        trainer: the run's state, fresh or restored
        signals: what asks the run to stop, which it does between two steps
    """

    def __init__(self, trainer: Trainer, signals: StopSignals) -> None:
        self.trainer = trainer
        self.signals = signals
        self.processes = trainer.processes
        self.config = trainer.config
        self.folder = trainer.config.output
        self.checkpoints = CheckpointFolder(self.folder)
        self._log: MetricsLog | None = None

    def to_the_end(self) -> Evaluation:
        """Train what is left, validate and keep each epoch, and test the best one.

        Raises:
            Stopped: a signal came; there is a checkpoint of the last step
        """
        with self.signals.held():
            self._train()
        return self._test()

    def _train(self) -> None:
        trainer = self.trainer
        try:
            if self.processes.from_zero(self._open_folder):
                # Even a run that is killed in its first epoch can be resumed.
                self._save_checkpoint()
            # None: no bar where nobody watches, as in a file or a CI log.
            hidden = None if self.processes.is_zero else True
            with tqdm(
                total=trainer.total_steps,
                initial=trainer.step,
                unit=" steps",
                disable=hidden,
            ) as self._bar:
                while trainer.epoch < self.config.epochs:
                    self._run_epoch()
                    self._stop_if_asked()
        finally:
            self.checkpoints.unlock()
            if self._log:
                self._log.close()

    def _open_folder(self) -> bool:
        """Make ready what rank zero writes to; return whether the run has no checkpoint yet."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"Cannot make the folder {self.folder}: {error.strerror}.") from error
        self.checkpoints.lock()
        self.checkpoints.tidy(self.trainer.step)
        self._log = MetricsLog(self.folder, epochs_done=self.trainer.epoch)
        return not self.checkpoints.steps()

    def _run_epoch(self) -> None:
        """Train and validate once, tell the figures, and keep the state."""
        trainer, started = self.trainer, time.perf_counter()
        before = trainer.epoch_seconds
        forget_peak(trainer.device)
        # That of its first step, which may lie before the stop of a run that was resumed.
        learning_rate, *_ = rates_at(trainer.schedule, trainer.epoch * trainer.sampler.steps)
        train_loss = trainer.train_epoch(self._after_step)
        validation = trainer.validate()
        if not (math.isfinite(train_loss) and math.isfinite(validation.loss)):
            raise InputError(
                f"The loss is no longer finite after epoch {trainer.epoch}: try again with a "
                f"smaller --optimizer.learning-rate."
            )
        # The slowest and the largest process count.
        seconds = max(self.processes.gather(trainer.epoch_seconds))
        peaks = self.processes.gather(peak_memory(trainer.device))
        trainer.epoch_seconds = 0.0
        record: Record = {
            "epoch": trainer.epoch,
            "step": trainer.step,
            "learning_rate": learning_rate,
            "train_loss": train_loss,
            "validation_loss": validation.loss,
            "validation_accuracy": validation.accuracy,
            "samples_per_second": round(trainer.epoch_images / seconds, 1),
            "seconds": round(before + time.perf_counter() - started, 3),
        } | {name: max(peak[name] for peak in peaks) for name in peaks[0]}
        self.processes.from_zero(lambda: self._tell(record))
        if validation.loss < trainer.best_loss:
            trainer.best_loss = validation.loss
            self._save_weights(validation.loss)
        # This comes last: if the program stops before it, the epoch's end is done again, the same.
        self._save_checkpoint()

    def _after_step(self) -> None:
        self._bar.update()
        trainer, every = self.trainer, self.config.checkpoint_every
        if number := self.signals.agreed(self.processes):
            self._save_checkpoint()
            raise Stopped(number)
        if every and trainer.step % every == 0 and trainer.epoch_step < trainer.sampler.steps:
            self._save_checkpoint()

    def _stop_if_asked(self) -> None:
        if number := self.signals.agreed(self.processes):
            raise Stopped(number)

    def _tell(self, record: Record) -> None:
        assert self._log is not None
        self._log.log(record)
        say(
            f"epoch {record['epoch']:3d}/{self.config.epochs}  "
            f"train loss {record['train_loss']:.4f}  "
            f"validation loss {record['validation_loss']:.4f}, "
            f"accuracy {record['validation_accuracy']:.1%}"
        )

    def _save_checkpoint(self) -> None:
        """Keep the run as it stands; every process calls this."""
        trainer, checkpoints = self.trainer, self.checkpoints
        checkpoint = trainer.checkpoint()
        partial = self.processes.from_zero(lambda: checkpoints.begin(trainer.step))
        self.processes.together(
            lambda: trainer.strategy.save_shares(partial, trainer.model, trainer.optimizer)
        )

        def finish() -> None:
            save_state(checkpoint, partial / STATE)
            checkpoints.finish(partial)

        self.processes.from_zero(finish)

    def _save_weights(self, loss: float) -> None:
        """Keep the whole model, as evaluation takes it; every process calls this."""
        model = self.trainer.strategy.weights(self.trainer.model)
        weights = Weights(config=self.config, epoch=self.trainer.epoch, loss=loss, model=model)
        self.processes.from_zero(lambda: save_state(weights, self.folder / "best.pt"))

    def _test(self) -> Evaluation:
        trainer, path = self.trainer, self.folder / "best.pt"
        best = self.processes.together(lambda: load_state(Weights, path))
        with same_model_expected(path):
            trainer.strategy.load_weights(trainer.model, best.model)
        return evaluate(trainer.model, trainer.splits.test, trainer.device, self.processes)
