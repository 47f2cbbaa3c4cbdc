"""What happens in sessions, counted and kept, whichever protocol they are played over. Imports no server.

watch = Watch(counts, log)                 one for all sessions of a process
session = watch.session("call reset")      one for each; `opened` gives one for each episode, told of every step
read_episodes(folder)                      the finished episodes that a log holds
"""

from mlops_debugger.watch.sessions import INVALID, Counts, Reject, Trouble, Watch, WatchedEpisode, WatchedSession
from mlops_debugger.watch.transcripts import EpisodeRecord, TranscriptLog, read_episodes

__all__ = [
    "INVALID",
    "Counts",
    "EpisodeRecord",
    "Reject",
    "TranscriptLog",
    "Trouble",
    "Watch",
    "WatchedEpisode",
    "WatchedSession",
    "read_episodes",
]
