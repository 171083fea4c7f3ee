import pytest

from trainables.evaluations.galleries.class_names import MAX_LETTERS, file_names, readable_names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("7", "7"),
        ("american_bulldog", "american_bulldog"),
        ("wheaten terrier", "wheaten_terrier"),
        ("n02088364-beagle", "n02088364-beagle"),
        ("Größter Münsterländer", "Grosster_Munsterlander"),
        ("../../etc/passwd", "etc_passwd"),
        ("C:\\cat.png", "C_cat_png"),
        ("-rf", "rf"),
        ("犬", "class"),
        ("", "class"),
        ("a" * 500, "a" * MAX_LETTERS),
    ],
)
def test_names_are_safe(name: str, expected: str) -> None:
    assert file_names([name]) == [expected]


def test_equal_names_get_different_files() -> None:
    assert file_names(["犬", "猫", "cat", "Cat", "dog"]) == ["class-0", "class-1", "cat-2", "Cat-3", "dog"]


def test_a_number_does_not_make_a_name_equal_to_another() -> None:
    result = file_names(["a", "a", "a-1", "A-0"])
    assert result == ["a-0_", "a-1_", "a-1", "A-0"]
    assert file_names(["A", "A", "a-0"]) == ["A-0_", "A-1", "a-0"]
    assert len({name.lower() for name in result}) == 4


def test_names_that_cannot_be_drawn_carry_their_position() -> None:
    names = ["american_bulldog", "Épagneul breton", "犬", "猫 cat", "what?", "7"]
    assert readable_names(names) == ["american bulldog", "Epagneul breton", "? (2)", "? cat (3)", "what?", "7"]
