"""What stands above a channel's crops."""

import math

from trainables.evaluations.channels.card import ChannelRow, heading


def test_a_mean_of_absolute_values_has_no_sign() -> None:
    row = ChannelRow(channel=7, contribution=0.5, share=0.25, background_share=math.nan)
    assert heading(row, "-") == "Channel 7: 0.5, 25% of all contributions"
    assert heading(row, "+") == "Channel 7: +0.5, 25% of all contributions"


def test_where_nothing_contributes_there_is_no_share() -> None:
    row = ChannelRow(channel=7, contribution=0.0, share=math.nan, background_share=math.nan)
    assert heading(row, "-") == "Channel 7: 0"


def test_a_share_of_the_background_follows_where_there_is_one() -> None:
    row = ChannelRow(channel=7, contribution=-0.5, share=0.25, background_share=0.75)
    assert heading(row, "+") == "Channel 7: -0.5, 25% of all contributions, background 75%"
