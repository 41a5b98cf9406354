"""Marks of slow tests, and of tests that train or start a process; decided here for all tests."""

from __future__ import annotations

import subprocess
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from trainer.training.train import train_job

SLOW = {
    "report/test_page.py::test_nothing_that_a_run_left": "two pages and pictures for each damage",
    "report/test_page.py::test_nothing_stands_out": "a browser, eight times",
    "report/test_page.py::test_matrices": "a page for each number of classes",
    "report/test_page.py::test_thousands": "a page of 30,000 epochs",
    "report/test_page.py::test_numbers": "a page",
    "report/test_page.py::test_a_run_without": "a page for each number of epochs",
    "callbacks/test_report.py::": "a run and a page for each kind of model",
    "testing/test_contract.py::test_the_shipped_callbacks_keep_the_contract[report": "six runs and their pages",
    "test_pages.py::test_every_command": "every block of the README and docs/, in a shell",
    "test_conformance.py::test_an_experiment_runs_resumes_and_exports": "every experiment, started two times",
    "test_commands.py::test_a_generator_reaches": "an experiment to its end",
    "test_commands.py::test_wide_and_deep": "an experiment to its end",
    "test_commands.py::test_digits_reach_their_validation_accuracy": "two experiments to their end",
    "checkpoints/restoring/test_weight_readers.py::test_names_and_patterns": "a run for each choice",
    "cli/test_assemble.py::test_a_run_with_old_keys": "a run that the command line began, and two more",
    "api/test_fit.py::test_a_callback_stops": "two runs",
    "api/test_fit.py::test_lines_are_shown": "two runs",
    "api/test_fit.py::test_the_second_interrupt": "a run",
    "api/test_fit.py::test_an_error_in": "a run",
    "api/test_keras_models.py::test_weights_of_examples": "a run",
    "testing/test_contract.py::test_a_good_one": "six runs",
    "testing/test_contract.py::test_what_cannot": "six runs",
    "cli/test_main.py::test_the_command_of_a_run_can_be_pasted": "two runs of each program",
    "cli/test_stdout.py::test_a_sweep": "a sweep of two runs",
    "config/test_choices.py::test_a_choice_that_drops": "runs of a whole experiment",
    "cli/test_main.py::test_a_sweep_with_flags": "a sweep",
    "cli/test_runs.py::test_a_run_that_sigkill": "a run, until it is killed",
    "cli/test_sweeps.py::test_the_same_sweep": "three sweeps",
    "cli/test_sweeps.py::test_a_number": "a sweep",
    "cli/test_sweeps.py::test_a_finished_job": "two sweeps",
    "cli/test_sweeps.py::test_a_launcher": "two sweeps",
    "cli/test_sweeps.py::test_a_command": "a sweep and another run",
    "cli/test_sweeps.py::test_optuna_searches": "a study, and more of it",
    "cli/test_sweeps.py::test_a_failed_job": "two studies",
    "cli/test_sweeps.py::test_refused": "the command line for each mistake",
    "cli/test_sweeps.py::test_optuna_that_is_missing": "the command line",
    "test_commands.py::test_a_sweep_makes": "a sweep of three jobs",
    "test_commands.py::test_a_finished_run_is": "three runs from the command line",
    "test_errors.py::test_the_cause_is_told_in_a_few_lines[memory": "fills the memory that a tensor may have",
    "test_same_bits.py::test_a_call_that_is_longer": "two runs for each kind of model",
    "graph/optimizers/test_averages.py::test_an_evaluation": "two runs",
    "graph/compiling/test_compile_rule.py::test_measuring": "compiles, and measures",
    "graph/ops/test_devices.py::test_an_op": "a run for each form of a device",
    "models/test_text.py::test_it_learns": "three runs",
    "graph/ops/test_exact_names.py::test_outputs_bear": "a run for each kind of name",
    "graph/ops/test_exact_names.py::test_plain_tensorflow_finds_the_names_in_every_file[all": "the same runs",
    "api/test_models.py::test_code_of_graph_mode": "three runs for each form",
    "test_examples.py::test_the_digits": "a run of an example to its end",
    "graph/forward/test_program_calls.py::": "two runs for each program, beside its loop",
    "scenarios/test_directory.py::test_16": "a run for each changed setting",
    "training/test_initial_values.py::test_a_warm_start_trains": "three runs",
    "training/test_inquiry.py::test_copies": "two runs",
    "training/test_resume.py::test_a_directory_of_runs": "four runs",
    "training/test_resume.py::test_the_later": "three runs",
    "callbacks/test_notify.py::test_each_end": "a run for each end",
    "callbacks/test_notify.py::test_a_command_that": "two runs",
    "callbacks/test_metrics.py::test_rows_within": "four runs",
    "callbacks/test_checkpoint.py::test_the_limit_holds": "four runs",
    "cli/test_main.py::test_pip_installs_the_command": "an environment of its own, and pip",
    "test_same_bits.py::test_random_schedules[xla": "compiles eight runs; the others are in the suite",
    "test_public_face.py::test_the_types": "mypy over the whole framework",
    "test_same_bits.py::test_the_number_of_steps": "three runs for each kind of model",
    "test_growth.py::test_ten_times": "a run of a net of 150 layers",
    "graph/optimizers/test_averages.py::test_averages_are_evaluated_and_exported": "runs, their exports and a resume",
    "graph/optimizers/test_optimizers.py::test_an_optimizer_of_graph": "two nets, trained, for each optimizer",
    "graph/optimizers/test_optimizers.py::test_the_loss_is_scaled": "two nets, trained, for each scale",
    "graph/steps/test_updates.py::test_the_orders": "twelve nets in eager mode",
    "graph/steps/test_updates.py::test_layers_keep": "two nets of layers, trained in eager mode too",
    "graph/steps/test_updates.py::test_variables_that_are_not": "three graphs for each order",
    "graph/steps/test_own_step.py::test_a_step_of": "two nets, trained twice, for each pair of optimizers",
    "graph/steps/test_own_step.py::test_its_metrics": "three runs",
    "graph/losses/test_losses.py::test_each_loss_is_weighted": "a run and its evaluation for each form of a loss",
    "cli/test_optimizers.py::test_files_of_the_group": "two runs from the command line",
    "graph/forward/test_precision.py::test_a_resume_has": "three runs",
    "graph/forward/test_precision.py::test_each": "a run for each precision",
    "graph/forward/test_precision.py::test_the_policy": "two runs",
    "graph/ops/test_random_ops.py::test_a_random_op_is_said": "a run for each place",
    "graph/losses/test_side_losses.py::test_a_loss_on_the_side_counts": "an update and an evaluation for each loss",
    "scenarios/test_directory.py::test_13": "a run and a resume for each event",
    "training/test_resume.py::test_an_earlier": "three runs for each form of a reference",
    "training/test_resume.py::test_what_a_bare_saver": "two runs for each optimizer",
    "trunks/test_trunk.py::test_it_resumes": "three runs of a model on a trunk",
    "inspection/test_picture.py::test_every_picture": "three pictures of each net, six of them of Keras",
    "inspection/test_picture.py::test_three_thousand": "a graph of as many ops",
    "test_serving.py::test_c": "a C compiler and a program of its own",
    "data/test_images.py::test_a_model_trains": "a run of thirty epochs",
    "data/test_csv_stream.py::test_a_resume": "three runs",
    "graph/data/test_batching.py::test_each_position": "a straight and a broken pass over each kind of batches",
    "graph/data/test_element_structure.py::test_ragged_and_sparse": "a run and an export for each kind of tensor",
    "graph/data/test_mapped_feed.py::test_files_are_trained_on_as_arrays_are_and_resumed_bit_for_bit[F": "three runs",
    "graph/data/test_validation_parts.py::test_a_single_part": "a run for each kind of part",
    "zoo/test_zoo.py": "some forty nets, with five runs each",
    "models/test_keras_model.py::test_a_resume": "three runs",
    "runs/test_versions.py::test_a_run_beside": "a run in a process whose metadata is hidden",
    "training/test_inquiry.py::test_a_nan_names": "a run for each place of a nan",
    "scenarios/test_kills_and_signals.py::test_01": "a run that is killed and started until it is done",
    "scenarios/test_constructor_values.py::test_30_in_every_mode": "compiles two runs",
    "scenarios/test_constructor_values.py::test_training_goes_on": "three runs of a recurrent net",
    "scenarios/test_disk.py::test_21": "a run for each file operation that fails",
    "graph/ops/test_exact_names.py::test_a_name_that": "a graph for each kind of name",
    "graph/forward/test_metrics.py::test_refused": "a graph for each metric",
    "graph/steps/test_own_step.py::test_what_it_cannot": "a graph for each mistake",
    "graph/forward/test_precision.py::test_the_loss": "two nets for each precision",
    "scenarios/test_damage.py::test_03_04": "a run and a resume for each kind of damage",
    "scenarios/test_kills_and_signals.py::test_08_a_signal_in_an": "a process for each place",
    "test_conformance.py::test_a_callback_survives": "two runs for each callback",
    "test_commands.py::test_refused_without": "a process for each mistake",
    "checkpoints/test_resolve.py::test_each_place_has": "a run beside ten forms of a reference",
    "api/test_optimizers.py::test_names_objects": "a run for each form",
    "api/test_optimizers.py::test_a_resume_has": "three runs",
    "graph/state/test_keras_names.py::test_a_warm_start": "two runs",
    "scenarios/test_constructor_values.py::test_exports_start": "a run of a recurrent net",
    "scenarios/test_constructor_values.py::test_an_export_of_state": "a run of a recurrent net",
    "test_commands.py::test_a_run_without_a_saver": "a run from the command line",
    "test_commands.py::test_experiment_without": "a run from the command line",
    "test_savers.py::test_of_two": "three runs",
    "graph/state/test_frozen_state.py::test_frozen_state_keeps": "three runs",
    "graph/compiling/test_compile_rule.py::test_the_mode": "two runs",
    "trunks/test_trunk.py::test_a_frozen_whole": "two runs",
    "cli/test_train.py::test_a_loss_that": "a run from the command line for each remedy",
    "test_scripts.py::test_another_tensorflow": "an environment, and pip",
    "test_scripts.py::test_an_installation": "an environment, and pip",
    "test_tensorflow_import.py::test_every_session": "a process for each setting",
    "graph/optimizers/test_current_rates.py::test_each_epoch": "two runs for each optimizer",
    "callbacks/test_reduce_lr_on_plateau.py::test_a_resume": "five runs for each length of a call",
    "callbacks/test_early_stopping.py::test_a_run_that_it_ended": "four runs",
    "callbacks/test_limit.py::test_a_run_at_its_limit": "three runs",
    "callbacks/test_limit.py::test_a_limit_of_seconds": "three runs",
    "callbacks/test_metrics.py::test_metrics_of_a_resumed": "three runs",
    "callbacks/test_metrics.py::test_an_epoch_whose": "three runs",
    "runs/test_history.py::test_each_process": "three runs",
    "cli/models/test_run.py::test_a_fresh": "a run, and processes with TensorFlow",
    "cli/checkpoints/test_export.py::test_plain_tensorflow": "a run, and processes with TensorFlow",
    "cli/test_stdout.py::test_a_name_in": "processes with TensorFlow",
    "config/test_debug.py::test_a_choice_wins": "four processes",
    "config/test_debug.py::test_fast_takes": "a run of every experiment",
    "config/test_debug.py::test_one_batch": "a run of every experiment",
    "config/test_debug.py::test_shapes": "a process for every experiment",
    "training/test_inquiry.py::test_a_nan_in_a_data_set": "a run for each origin",
    "graph/optimizers/test_optimizers.py::test_weight_decay": "two nets, trained, for each form",
}
"""Reason why a test of ``scripts/test -m slow`` is slow, by the prefix of its name."""

SOAK = {
    "export/test_keras_files.py::test_plain_keras": "a run and two processes for each kind of net",
    "config/test_shipped_callbacks.py::": "a process for each form of a package",
    "api/test_keras_models.py::test_it_begins": "two runs for each kind of Keras model",
    "cli/test_assemble.py::test_a_graph_is_built": "the same run, frozen by its config",
    "graph/forward/test_metrics.py::test_metrics_are": "a dozen Keras metrics, here and in eager mode",
    "graph/optimizers/test_optimizer_parts.py::": "up to four runs for each case",
    "graph/data/test_generator_dataset.py::test_a_resume": "three runs for each kind of generator",
    "graph/forward/test_metrics.py::test_state_in_mid_epoch": "four runs",
    "test_commands.py::test_refused_before_anything_is_created": "a process with TensorFlow for each mistake",
    "test_commands.py::test_refused_without_tensorflow": "a process for each mistake",
    "scenarios/test_long_work.py::test_32_a_signal_ends_a_call": "a run for each long call, and resumes",
    "test_session_calls.py::test_the_number": "two runs for each way in or out",
    "test_examples.py::test_it_trains": "three runs for each example",
    "test_pages.py::test_every_command_runs[transfer": "a dozen commands, which the experiments' test runs too",
    "test_pages.py::test_every_command_runs[optimizers - Optimizers by": "a dozen commands",
    "test_pages.py::test_every_command_runs[keras - Weights from elsewhere": "runs of several nets",
    "test_pages.py::test_every_command_runs[data - Sentences": "runs of several nets",
    "checkpoints/restoring/test_weight_readers.py::test_all_weights": "a run for each kind of file",
    "export/test_keras_weights.py::test_the_net_computes": "a run for each kind of net",
    "graph/state/test_keras_names.py::test_a_run_with_older": "three runs for each optimizer",
    "graph/state/test_keras_names.py::test_the_older_names": "two nets for each kind",
    "export/test_tables.py::": "runs with all exports for each kind of table",
    "graph/forward/test_function_calls.py::": "two runs for each kind of function, beside a loop over session.run",
    "test_scripts.py::test_a_choice_of_tests": "collects all tests three times",
    "test_saved_objects.py::": "two or three runs for each kind of object",
    "test_same_bits.py::test_a_resume_in_mid_epoch": "three runs for each kind of model",
    "test_same_bits.py::test_random_schedules": "eight runs for each row",
    "graph/state/test_constructor_values.py::test_the_values_are": "a graph and a net for each way to give values",
    "graph/optimizers/test_optimizers.py::test_each_keras": "two nets, trained, for each optimizer",
    "graph/steps/test_updates.py::test_two_nets": "two nets, trained twice, for each pair of optimizers",
    "graph/steps/test_updates.py::test_each_part_of": "three nets of layers",
    "cli/test_optimizers.py::test_a_mistake": "a process with TensorFlow for each mistake",
    "graph/data/test_pipeline_state.py::test_an_exact": "a straight and a broken pass over each pipeline",
    "graph/data/test_batching.py::test_a_run_on": "three runs for each kind of batches",
    "graph/data/test_element_structure.py::test_a_model_gets": "a run for each form of elements",
    "graph/data/test_mapped_feed.py::test_a_large_file": "a file of 700 MB",
    "graph/data/test_validation_parts.py::test_each_part": "a run for each kind of part",
    "models/test_keras_model.py::test_the_history": "two nets, trained, for each form of compile",
    "training/test_inquiry.py::test_31_compiling": "three runs for each kind of op",
    "scenarios/test_disk.py::test_23": "500 checkpoints",
    "checkpoints/test_resolve.py::test_each_place_finds": "a run beside twenty forms of a reference",
    "graph/state/test_inference_state.py::test_a_module": "a graph and an eager net for each module",
    "graph/state/test_inference_state.py::test_a_call_starts": "a graph and an eager net for each layer",
    "graph/state/test_keras_names.py::test_names_are": "two nets for each kind",
    "graph/optimizers/test_optimizer_names.py::test_an_optimizer_has": "a graph for each optimizer",
    "graph/optimizers/test_optimizers.py::test_every_pair": "143 nets, trained twice; the suite has one option of each",
    "graph/optimizers/test_optimizers.py::test_a_rate_that": "four nets, trained, for each optimizer",
    "graph/optimizers/test_optimizer_parts.py::test_a_resume_and": "up to four runs for each case",
    "testing/test_contract.py::test_what_breaks": "up to six runs for each mistake",
    "testing/test_contract.py::test_the_shipped": "six runs for each callback",
    "training/test_inquiry.py::test_31_checks_change_no_result": "two runs for each kind of op",
    "scenarios/test_another_keras.py::test_a_run": "two versions of Keras, one of them from PyPI",
    "cli/test_stdout.py::test_it_trains": "a run for each form of a closed stream",
}
"""Reason why the tests of a table are left to ``scripts/test -m soak``, by the prefix of their names."""

MINUTES = ("[MobileNetV2]",)
"""Ends of the names of rows that take minutes, which are left to ``scripts/test -m soak`` too."""

OF_THE_ZOO = (
    "[Piped]",
    "[TiedWeights]",
    "[KerasDropout]",
    "[SeveralInputsAndOutputs]",
    "[Convolution]",
    "[KerasConvolution]",
    "[UpAndDown]",
    "[NormalizationByHand]",
    "[LayerNormalization]",
    "[Gru]",
    "[Bidirectional]",
    "[Embedding]",
    "[HashedStrings]",
    "[StatelessDropout]",
    "[Module]",
    "[CustomGradient]",
    "[Spectrum]",
    "[Scan]",
    "[Constrained]",
    "[SharedTowers]",
    "[Unlabelled]",
    "[Float64]",
    "[Float16]",
)
"""Ends of the names of nets that are like another one of the zoo, whose tests are left to the soak tests."""

KEPT_OF_SOAK = (
    "export/test_keras_files.py::test_plain_keras_reads_what_was_exported[functional",
    "graph/data/test_generator_dataset.py::test_a_resume_leaves_out_what_was_drawn[skip]",
    "graph/optimizers/test_optimizer_parts.py::test_averages_of_one_part",
    "graph/forward/test_metrics.py::test_state_in_mid_epoch",
    "test_commands.py::test_refused_before_anything_is_created[['trainable",
    "test_commands.py::test_refused_before_anything_is_created[['model=on_trunk",
    "scenarios/test_long_work.py::test_32_a_signal_ends_a_call_that_would_last[count]",
    "scenarios/test_long_work.py::test_32_a_signal_ends_a_call_that_would_last[build]",
    "test_session_calls.py::test_the_number_of_calls_does_not_depend_on_the_number_of_variables[freeze at",
    "test_session_calls.py::test_the_number_of_calls_does_not_depend_on_the_number_of_variables[SavedModel at",
    "test_session_calls.py::test_the_number_of_calls_does_not_depend_on_the_number_of_variables[predictor of a .pb",
    "test_session_calls.py::test_the_number_of_calls_does_not_depend_on_the_number_of_variables[resume",
    "test_examples.py::test_it_trains_resumes_bit_for_bit_and_exports[gan]",
    "graph/state/test_keras_names.py::test_a_run_with_older_names_goes_on_as_if_nothing_had_happened[adam]",
    "graph/data/test_batching.py::test_a_run_on_varying_lengths_resumes_with_the_same_bits[padded]",
    "graph/data/test_batching.py::test_a_run_on_varying_lengths_resumes_with_the_same_bits[own batches]",
    "cli/test_optimizers.py::test_a_mistake_in_a_part_is_refused_by_its_key[optimizer.parts.critic.loss",
    "graph/optimizers/test_optimizers.py::test_a_rate_that_a_rollback_scales_is_that_of_each_step[AdamOptimizer]",
    "graph/optimizers/test_optimizer_parts.py::test_a_resume_and_calls_of_any_length_have_the_same_bits[at once",
    "testing/test_contract.py::test_what_breaks_the_contract_is_told[forgets",
    "testing/test_contract.py::test_what_breaks_the_contract_is_told[variables",
    "testing/test_contract.py::test_the_shipped_callbacks_keep_the_contract[checkpoint",
    "testing/test_contract.py::test_the_shipped_callbacks_keep_the_contract[nan_guard",
    "training/test_inquiry.py::test_31_checks_change_no_result[gather",
    "scenarios/test_another_keras.py::test_a_run_goes_on_with_another_keras[other]",
    "cli/test_stdout.py::test_it_trains_and_exits_with_0[all]",
)
"""Rows of these tables that the slow tests keep, by the prefix of their names."""

KEPT = (
    "checkpoints/restoring/test_weight_readers.py::test_all_weights_are_those_of_the_file[net-h5-2]",
    "checkpoints/restoring/test_weight_readers.py::test_all_weights_are_those_of_the_file[net-objects-2]",
    "checkpoints/restoring/test_weight_readers.py::test_names_and_patterns_choose_what_is_taken[settings2",
    "testing/test_contract.py::test_what_breaks_the_contract_is_told[close",
    "export/test_tables.py::test_a_table_that_would_lose",
    "export/test_tables.py::test_the_exports_hold_the_vocabulary",
    "export/test_tables.py::test_a_trunk",
    "api/test_keras_models.py::test_it_begins_with_its_weights_and_ends_with_the_trained_ones[not built",
    "export/test_keras_weights.py::test_the_net_computes_what_the_run_does[2-subclassed]",
    "graph/ops/test_exact_names.py::test_outputs_bear_their_names[the op bears",
    "graph/ops/test_exact_names.py::test_outputs_bear_their_names[another case",
    "graph/data/test_batching.py::test_each_position_is_resumed_exactly[by length]",
    "graph/state/test_constructor_values.py::test_the_values_are_those_of_eager_mode[set_weights",
    "graph/state/test_constructor_values.py::test_the_values_are_those_of_eager_mode[adapted]",
    "graph/state/test_constructor_values.py::test_the_values_are_those_of_eager_mode[assign]",
    "graph/state/test_keras_names.py::test_the_older_names_are_known[nested]",
    "graph/data/test_element_structure.py::test_a_model_gets_the_form_that_the_data_has[with weights-arrays]",
    "graph/data/test_element_structure.py::test_a_model_gets_the_form_that_the_data_has[nested-stream]",
    "graph/data/test_element_structure.py::test_ragged_and_sparse_tensors_reach_the_model[ragged]",
    "graph/forward/test_function_calls.py::test_it_does_as_a_session_loop_resumes_and_exports[counted]",
    "graph/forward/test_function_calls.py::test_what_no_call_can_keep_is_refused_by_name[neither]",
    "api/test_models.py::test_code_of_graph_mode_is_trained_and_goes_on_to_the_same_bits[a program]",
    "graph/forward/test_program_calls.py::test_it_does_as_its_loop_resumes_and_exports[switched]",
    "graph/optimizers/test_optimizers.py::test_each_keras_optimizer_does_as_in_fit[Adam]",
    "graph/optimizers/test_optimizers.py::test_an_optimizer_of_graph_mode_does_as_in_a_session_loop[MomentumOptimizer]",
    "graph/optimizers/test_optimizers.py::test_the_loss_is_scaled_as_in_fit[factor]",
    "graph/steps/test_updates.py::test_two_nets_do_as_in_a_loop_by_hand[d first-g each third-one of each]",
    "graph/steps/test_updates.py::test_two_nets_do_as_in_a_loop_by_hand[at once-both rest-of graph mode]",
    "graph/optimizers/test_optimizer_parts.py::test_a_resume_and_calls_of_any_length_have_the_same_bits[in turn]",
    "graph/steps/test_own_step.py::test_a_step_of_ones_own_does_as_in_eager_mode[of Keras-Wasserstein]",
    "graph/losses/test_losses.py::test_each_loss_is_weighted_over_the_epoch_and_the_validation_part[xla-OnTheSide]",
    "graph/losses/test_losses.py::test_each_loss_is_weighted_over_the_epoch_and_the_validation_part[tf.data-Pair]",
    "graph/data/test_pipeline_state.py::test_an_exact_pipeline_is_resumed_bit_for_bit_in_silence[shuffle]",
    "graph/losses/test_side_losses.py::test_a_loss_on_the_side_counts_once_in_training_inference_and_evaluation[OfKeras]",
    "graph/losses/test_side_losses.py::test_a_loss_on_the_side_counts_once_in_training_inference_and_evaluation[OfGetVariable]",
    "models/test_keras_model.py::test_the_history_is_that_of_fit[sample weights]",
    "models/test_keras_model.py::test_the_history_is_that_of_fit[dicts]",
    "test_same_bits.py::test_a_resume_in_mid_epoch_ends_with_the_same_bits[compiled]",
    "test_same_bits.py::test_a_resume_in_mid_epoch_ends_with_the_same_bits[tf.data]",
    "test_same_bits.py::test_the_number_of_steps_per_call_changes_no_bit[compiled]",
    "test_same_bits.py::test_random_schedules[off-0]",
    "test_saved_objects.py::test_a_resume_goes_on_bit_for_bit[tables]",
    "test_saved_objects.py::test_both_ways_write_what_the_saver_in_the_meta_wants[parts]",
    "training/test_inquiry.py::test_a_nan_names_its_op[loss-xla]",
    "training/test_inquiry.py::test_31_compiling_never_changes_what_is_an_error[labels",
    "training/test_resume.py::test_an_earlier_checkpoint_goes_on_in_its_run_and_sets_the_later_ones_aside[runs/then@2]",
    "training/test_resume.py::test_what_a_bare_saver_left_goes_on_as_if_nothing_had_happened[adam]",
    "graph/data/test_validation_parts.py::test_each_part_is_evaluated_over_all_its_examples[a data set-stream]",
    "graph/data/test_validation_parts.py::test_each_part_is_evaluated_over_all_its_examples[arrays-memory]",
    "checkpoints/test_resolve.py::test_each_place_finds_the_same_checkpoint[outputs/linear/run/checkpoints/model-2-",
    "graph/state/test_inference_state.py::test_a_module_that_changes_its_variables[counted, then read-",
    "graph/state/test_inference_state.py::test_a_call_starts_from_the_initial_state[LSTM]",
    "graph/state/test_keras_names.py::test_names_are_those_of_keras[subclassed]",
    "graph/ops/test_exact_names.py::test_a_name_that_something_else_has_is_refused[a variable]",
    "graph/forward/test_metrics.py::test_refused_by_name[streaming]",
    "graph/steps/test_own_step.py::test_what_it_cannot_do_is_refused_by_name[no loss]",
    "graph/forward/test_precision.py::test_the_loss_is_that_of_fit_and_variables_stay_float32[mixed_float16]",
    "graph/optimizers/test_optimizer_names.py::test_an_optimizer_has_the_same_names_with_every_keras[<lambda>-adamw0]",
    "scenarios/test_damage.py::test_03_04_a_damaged_checkpoint_is_set_aside_and_the_one_before_taken[flipped",
    "scenarios/test_kills_and_signals.py::test_08_a_signal_in_an_evaluation_a_save_or_an_export_leaves_a_saved_state[0",
    "test_conformance.py::test_a_callback_survives_a_run_and_its_resume[Checkpoint]",
    "test_conformance.py::test_a_callback_survives_a_run_and_its_resume[EarlyStopping]",
    "test_commands.py::test_refused_without_tensorflow[[]",
    "test_commands.py::test_refused_without_tensorflow[['+experiment=linear', 'callbacks",
)
"""Rows of slow tables that the suite keeps, by the prefix of their names."""

WORK = (subprocess, subprocess.run, subprocess.Popen, train_job)
"""Functions and modules that train or start a process."""


def mark(item: pytest.Item) -> None:
    """Adds ``slow`` or ``soak`` to the tests in the tables, ``integration`` to those that train or start a process."""
    name = item.nodeid.removeprefix("tests/")
    zoo = name.startswith("zoo/test_zoo.py") and name.endswith(OF_THE_ZOO)
    if zoo or name.endswith(MINUTES) or (name.startswith(tuple(SOAK)) and not name.startswith((*KEPT, *KEPT_OF_SOAK))):
        item.add_marker("soak")
    elif name.startswith((*SLOW, *SOAK)) and not name.startswith(KEPT):
        item.add_marker("slow")
    if any(reaches_work(function) for function in functions_of(item)):
        item.add_marker("integration")


def functions_of(item: pytest.Item) -> list[Callable[..., Any]]:
    """Returns the functions of a test and its fixtures; none for an example in a docstring."""
    if not isinstance(item, pytest.Function):
        return []
    fixtures = item._fixtureinfo.name2fixturedefs.values()
    return [item.function, *(each.func for definitions in fixtures for each in definitions)]


def reaches_work(function: Callable[..., Any]) -> bool:
    """Returns whether a function refers to ``WORK``, directly or through other functions of the tests.

    >>> reaches_work(lambda: subprocess.run(["true"]))
    True
    >>> reaches_work(lambda: functions_of)
    False
    """
    seen: set[types.FunctionType] = set()
    todo: list[Any] = [function]
    while todo:
        each = todo.pop()
        if any(each is work for work in WORK):
            return True
        if isinstance(each, types.FunctionType) and each.__module__.startswith("tests.") and each not in seen:
            seen.add(each)
            todo += [each.__globals__[name] for name in names_in(each.__code__) if name in each.__globals__]
    return False


def names_in(code: types.CodeType) -> Iterator[str]:
    """Yields the names that a function looks up, including those of its inner functions."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from names_in(constant)
