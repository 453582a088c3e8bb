"""The command, run as a user runs it; and models written as text."""

import csv
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from running import run

from handgrad import FC, MSE, Dropout, Flatten, LeakyReLU, ReLU, Sequential, Sigmoid, Softmax, Tanh
from handgrad.cli import main
from handgrad.expression import ExpressionError, parse_model


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def iris(tmp_path):
    """A .csv with words for labels and a header."""
    rng = np.random.default_rng(0)
    centres = {"setosa": (0, 0), "versicolor": (4, 1), "virginica": (1, 5)}
    rows = [[*map(str, rng.normal(c, 0.5)), name] for name, c in centres.items() for _ in range(40)]
    path = tmp_path / "iris.csv"
    path.write_text("\n".join(",".join(row) for row in [["width", "length", "species"], *rows]))
    return path


def test_train_with_no_argument_learns_the_digits(capsys, tmp_path):
    code, out, err = run(capsys, "train")
    lines = out.splitlines()
    assert code == 0 and err == ""
    assert "FC(64, 128)" in out and "9,610" in out and "true \\ predicted" in out and "epoch 30/30" in out
    (accuracy,) = [line for line in lines if line.startswith("test accuracy: ")]
    assert float(accuracy.split()[-1].rstrip("%")) >= 97
    folder = tmp_path / "runs" / "digits-1"
    assert lines[-1].startswith("written to runs/digits-1: weights.npz, history.csv")
    with open(folder / "history.csv") as file:
        assert len(list(csv.reader(file))) == 31

    code, out, err = run(capsys, "predict", folder / "weights.npz", "digits")
    rows = list(csv.DictReader(out.splitlines()))
    right = np.mean([row["predicted"] == row["label"] for row in rows])
    assert code == 0 and len(rows) == 360 and f"{right:.1%}" == accuracy.split()[-1] and f"{right:.1%}" in err
    assert run(capsys, "train", "--epochs", 1)[1].splitlines()[-1].startswith("written to runs/digits-2")


def test_the_same_seed_gives_the_same_numbers(capsys):
    def history(*options):
        assert run(capsys, "train", "--epochs", 2, "--out", "r", "--overwrite", *options)[0] == 0
        with open("r/history.csv") as file:
            return [row[:-1] for row in csv.reader(file)]  # without the seconds

    assert history("--seed", "3") == history("--seed", "3") != history("--seed", "4")


def test_the_number_of_threads_can_be_given(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "train", "--epochs", 1, "--threads", 1)[0] == 0
    monkeypatch.setattr("handgrad.blas.BLAS", None)
    code, _, err = run(capsys, "train", "--epochs", 1, "--threads", 1, "--out", "r")
    assert code == 2 and "threads can be set for OpenBLAS and MKL only" in err and not Path("r").exists()


@pytest.mark.parametrize("loss", ["SoftmaxCE", "BinaryCE", "MSE"])
def test_train_and_predict_a_csv_with_words_for_labels(capsys, iris, tmp_path, loss):
    code, out, _ = run(
        capsys, "train", iris, "--model", "FC(2, 16), Tanh(), FC(16, 3)", "--loss", loss, "--lr", 0.05, "--out", "r"
    )
    assert code == 0 and "virginica" in out and float(out.split("test accuracy: ")[1].split("%")[0]) > 90
    code, out, err = run(capsys, "predict", "r/weights.npz", iris, "--out", "p.csv")
    assert code == 0 and "120 rows written to p.csv" in out and "accuracy: " in err
    (tmp_path / "new.csv").write_text("0.1,0.2\n4.1,0.9\n0.8,5.5\n")
    code, out, err = run(capsys, "predict", "r/weights.npz", "new.csv")
    assert out == "row,predicted\n0,setosa\n1,versicolor\n2,virginica\n" and err == ""


def test_a_single_score_classifies_two_classes(capsys, tmp_path):
    x = np.random.default_rng(0).normal(size=(200, 3))
    np.savez(tmp_path / "two.npz", x=x, y=(x[:, 0] > 0) * 1)
    code, out, _ = run(capsys, "train", "--data", "two.npz", "--model", "FC(3, 1)", "--loss", "BinaryCE", "--out", "r")
    assert code == 0 and float(out.split("test accuracy: ")[1].split("%")[0]) > 90
    assert run(capsys, "predict", "r/weights.npz", "two.npz")[0] == 0


def test_an_earlier_run_is_not_overwritten_unasked(capsys, tmp_path):
    assert run(capsys, "train", "--epochs", 1, "--out", "r")[0] == 0
    before = (tmp_path / "r" / "weights.npz").read_bytes()
    code, _, err = run(capsys, "train", "--epochs", 2, "--out", "r")
    assert code == 2 and "holds an earlier run (weights.npz" in err and "--overwrite" in err
    assert (tmp_path / "r" / "weights.npz").read_bytes() == before
    assert run(capsys, "train", "--epochs", 2, "--out", "r", "--overwrite")[0] == 0
    assert (tmp_path / "r" / "weights.npz").read_bytes() != before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--data", "none"], "none: there is no such file or folder; data may be digits"),
        (["a.txt"], "got a file that ends in .txt"),
        (["bad.csv"], "line 2, column 2"),
        (["."], "train-images-idx3-ubyte"),
        (["digits", "--data", "a.csv"], "DATA is given twice"),
        (["--model", "FC(64, 10"], "cannot read 'FC(64, 10'"),
        (["--model", "Linear(64, 10)"], "there is no layer Linear"),
        (["--model", "FC(10, 10)"], "Sequential[0] FC(10, 10): input must be [B x 10]"),
        (["--model", "FC(64, 5)"], "a score for each of the 10 classes, its output is 5 wide"),
        (["--model", "FC(64, 12)"], "a score for each of the 10 classes, its output is 12 wide"),
        (["--model", "ReLU()"], "needs parameters to train"),
        (["--model", "FC(64, 1)", "--loss", "MSE"], "each of the 10 classes, its output is 1 wide"),
        (["--loss", "Hinge"], "invalid choice: 'Hinge'"),
        (["--lr", "0"], "expected a number > 0, got '0'"),
        (["--lr", "nan"], "expected a number > 0, got 'nan'"),
        (["--momentum", "1"], "expected a number >= 0 and < 1, got '1'"),
        (["--weight-decay", "-1"], "expected a number >= 0, got '-1'"),
        (["--epochs", "0"], "expected a whole number >= 1, got '0'"),
        (["--threads", "0"], "expected a whole number >= 1, got '0'"),
        (["--batch-size", "2.5"], "expected a whole number >= 1, got '2.5'"),
        (["--seed", "-1"], "expected a whole number >= 0, got '-1'"),
        (["--epoch", "3"], "unrecognized arguments"),
        (["--out", "a.txt"], "a.txt"),
    ],
)
def test_bad_options_give_one_sentence_and_exit_code_2(capsys, tmp_path, options, words):
    (tmp_path / "a.txt").write_text("1,2\n")
    (tmp_path / "bad.csv").write_text("1,2,0\n3,x,1\n")
    code, out, err = run(capsys, "train", *options)
    assert code == 2 and words in err and "Traceback" not in err and out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "bad.csv"]


@pytest.mark.parametrize(
    ("weights", "data", "words"),
    [
        ("none.npz", "digits", "none.npz: no such file"),
        ("plain.npz", "digits", "expected weights written by handgrad"),
        ("text.npz", "digits", "expected an .npz file of plain arrays"),
        ("strange.npz", "digits", "there is no layer system"),
        ("r/weights.npz", "none.csv", "none.csv: there is no such file"),
        ("r/weights.npz", "wide.csv", "wide.csv: expected 64 columns, or 65 with labels"),
    ],
)
def test_predict_with_what_does_not_fit(capsys, tmp_path, weights, data, words):
    np.savez(tmp_path / "plain.npz", a=np.ones(3))
    np.savez(tmp_path / "strange.npz", **{"about.model": np.array("system('true')")})
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "wide.csv").write_text("1,2,3\n")
    run(capsys, "train", "--epochs", 1, "--out", "r")
    code, out, err = run(capsys, "predict", weights, data)
    assert code == 2 and words in err and out == ""


def test_a_run_that_diverges_says_where_and_leaves_nothing(capsys, tmp_path):
    code, _, err = run(capsys, "train", "--lr", "1e30", "--loss", "MSE")
    assert code == 1 and "handgrad: loss is" in err and "first in the" in err and "Sequential[" in err
    assert not list((tmp_path / "runs").iterdir())


def test_the_command_is_installed_and_is_a_module_too():
    for command in ([sys.executable, "-m", "handgrad"], [os.path.join(os.path.dirname(sys.executable), "handgrad")]):
        if os.path.exists(command[0]):
            result = subprocess.run([*command, "--version"], capture_output=True, text=True)
            assert result.returncode == 0 and result.stdout.startswith("handgrad 0.")
    result = subprocess.run([sys.executable, "-m", "handgrad"], capture_output=True, text=True)
    assert result.returncode == 2 and "COMMAND" in result.stderr


def test_a_reader_that_stops_early_is_no_error(capsys):
    run(capsys, "train", "--epochs", 1, "--out", "r")
    command = f'"{sys.executable}" -m handgrad predict r/weights.npz digits | head -n 1'
    result = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert result.stdout == "row,predicted,label\n" and "Error" not in result.stderr


def test_parse_model():
    layers = "Flatten(), FC(4, 5, bias=False), LeakyReLU(0.2), FC(5, 4, init='glorot'), Dropout(p=0.25)"
    model = parse_model(layers, np.random.default_rng(0))
    assert [type(layer) for layer in model.layers] == [Flatten, FC, LeakyReLU, FC, Dropout]
    again = parse_model(repr(model), np.random.default_rng(0))
    assert repr(again) == repr(model) and np.array_equal(again.params.flat, model.params.flat)
    nested = Sequential(fc := FC(3, 3, dtype="float64"), Sequential(Tanh(), fc), Softmax(), Sequential(Sigmoid()))
    assert repr(parse_model(repr(nested))) == repr(nested)
    twice = parse_model(repr(Sequential(fc, ReLU(), fc)))
    assert twice.layers[0] is twice.layers[2]
    assert repr(parse_model("\n FC(2, 3),\n ReLU(),\n")) == "Sequential(FC(2, 3), ReLU())"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "got ''"),
        ("FC(2, 3) ReLU()", "cannot read"),
        ("FC(2, 3)) + (1", "a model is written"),
        ("FC", r"needs its brackets: FC\(\)"),
        ("FC(2)", "FC\\(2\\): missing a required argument: 'out_features'"),
        ("FC(2, -3)", "out_features must be a whole number >= 1"),
        ("FC(2, 3, wide=1)", "unexpected keyword argument 'wide'"),
        ("FC(2, 3, init=open('x'))", "arguments must be literal"),
        ("FC(*[2, 3])", "arguments must be literal"),
        ("FC(**{'in_features': 2})", "."),
        ("__import__('os').system('true')", "expected a layer such as FC"),
        ("eval('1')", "there is no layer eval"),
        ("Relu()", r"did you mean ReLU\?"),
        ("x", "expected a layer such as FC"),
        ("FC(2, 3), 4", "expected a layer such as FC"),
        ("Layer()", "there is no layer Layer"),
        ("FC(1000000000000, 1000000)", "too large"),
        ("Sequential(" * 500 + ")" * 500, "."),
        ("FC(2, 3)," * 9999, "20000 characters"),
        ("Dropout(2)", "must lie in"),
        ("FC(2, 3)\0", "cannot read"),
    ],
)
def test_text_that_is_no_model(text, words):
    with pytest.raises(ExpressionError, match=words):
        parse_model(text)
    assert MSE  # the losses are no layers of a model
    with pytest.raises(ExpressionError, match="there is no layer MSE"):
        parse_model("MSE()")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", ""], "DATA is empty"),
        (["train", "--model", ""], "--model is empty"),
        (["train", "--out", ""], "--out is empty"),
        (["train", "one.npz"], "labels must be of two classes or more, numbered from 0 to 65,535, got only one class"),
        (["train", "many.npz"], "got labels up to 70000"),
        (["train", "table.csv", "--label=--5"], "expected a column named '--5'"),
        (["train", "--loss", "MSE", "--model", "FC(64, 1)"], "the model must give a score for each of the 10 classes"),
    ],
)
def test_more_that_cannot_be_used(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.savez("one.npz", x=np.ones((9, 4)), y=np.zeros(9, int))
    np.savez("many.npz", x=np.ones((9, 4)), y=np.arange(9) + 69992)
    Path("table.csv").write_text("1,2,0\n3,4,1\n" * 5)
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_predictions_do_not_replace_what_is_read(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--epochs", "1", "--out", "r"]) == 0
    assert main(["predict", "r/weights.npz", "digits", "--out", "r/weights.npz"]) == 2
    assert "is what is read" in capsys.readouterr().err
    os.mkfifo("pipe")
    reader = subprocess.Popen(["head", "-n", "1", "pipe"], stdout=subprocess.PIPE, text=True)
    main(["predict", "r/weights.npz", "digits", "--out", "pipe"])
    assert reader.communicate()[0].startswith("row,predicted") and stat.S_ISFIFO(os.stat("pipe").st_mode)


def test_a_run_that_diverges_leaves_its_history(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with np.errstate(all="ignore"):
        assert main(["train", "--epochs", "3", "--batch-size", "5000", "--lr", "1e38", "--out", "r"]) == 1
    assert "not finite" in capsys.readouterr().err and Path("r/history.csv").exists()


def test_ctrl_c_while_it_is_imported_ends_a_command_without_a_traceback():
    command = [sys.executable, "-v", "-m", "handgrad", "--version"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not process.stderr.readline().startswith("import 'numpy"):
        pass
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130 and out == ""
    assert "handgrad: interrupted" in err and "Traceback" not in err
