"""Where posts come from. A kind of source is one class in a file of its own; `kind:` chooses it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from config.sources.appstore import AppstoreSource
from config.sources.bluesky import BlueskySource
from config.sources.common import AnySource, Collected, LookAgain, Swept, looks
from config.sources.discourse import DiscourseSource
from config.sources.feeds import FeedsSource
from config.sources.file import FileSource
from config.sources.googleplay import GoogleplaySource
from config.sources.graph import FacebookSource, InstagramSource
from config.sources.hackernews import HackernewsSource
from config.sources.linkedin import LinkedinSource
from config.sources.mastodon import MastodonSource
from config.sources.mediawiki import MediawikiSource
from config.sources.reddit import RedditSource
from config.sources.telegram import TelegramSource
from config.sources.tiktok import TiktokSource
from config.sources.trustpilot import TrustpilotSource
from config.sources.webhook import WebhookSource
from config.sources.x import XSource
from config.sources.yelp import YelpSource
from config.sources.youtube import YoutubeSource

__all__ = [
    "AnySource",
    "AppstoreSource",
    "BlueskySource",
    "Collected",
    "DiscourseSource",
    "FacebookSource",
    "FeedsSource",
    "FileSource",
    "GoogleplaySource",
    "HackernewsSource",
    "InstagramSource",
    "LinkedinSource",
    "LookAgain",
    "MastodonSource",
    "MediawikiSource",
    "RedditSource",
    "Source",
    "Swept",
    "TelegramSource",
    "TiktokSource",
    "TrustpilotSource",
    "WebhookSource",
    "XSource",
    "YelpSource",
    "YoutubeSource",
    "looks",
]

Source: TypeAlias = Annotated[
    AppstoreSource
    | BlueskySource
    | DiscourseSource
    | FacebookSource
    | FeedsSource
    | FileSource
    | GoogleplaySource
    | HackernewsSource
    | InstagramSource
    | LinkedinSource
    | MastodonSource
    | MediawikiSource
    | RedditSource
    | TelegramSource
    | TrustpilotSource
    | TiktokSource
    | WebhookSource
    | XSource
    | YelpSource
    | YoutubeSource,
    Field(discriminator="kind"),
]
