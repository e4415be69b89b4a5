"""What a notebook calls besides measures and charts: open the data, show tiles, say what was found."""

from plgkit.notebook.card import (
    changed,
    leaky_stages,
    lines,
    moved,
    next_step,
    on_the_way,
    standings,
    unasked,
    worst,
)
from plgkit.notebook.changing import compared_with, largest, made_of, strange_days, taken_apart, to_pull
from plgkit.notebook.comparing import apart, compared, span, target
from plgkit.notebook.glance import in_a_minute
from plgkit.notebook.handing import harmless, to_csv
from plgkit.notebook.lasting import chance, halves, holders, levelled, silence, slipping, still_used
from plgkit.notebook.leads import (
    HONEST,
    KNOWING,
    called,
    climbs,
    drifted,
    leaked_by,
    leaking,
    learned,
    moved_places,
    pay_oftener,
    refit,
    valued,
)
from plgkit.notebook.opening import start
from plgkit.notebook.paying import ahead, as_busy, driven, same_period, sold
from plgkit.notebook.picking import highest, latest, lowest, period
from plgkit.notebook.plans import plans
from plgkit.notebook.reading import against, among, before, change, first, last
from plgkit.notebook.revenue import (
    aged,
    behind,
    by_hand,
    followed,
    gained,
    grew,
    in_need,
    leaked,
    moved_most,
    net_loss,
    path,
    retained,
    soon,
)
from plgkit.notebook.shown import definition, finding, note, table
from plgkit.notebook.signs import beside, detours, parting, signs, ways
from plgkit.notebook.spreading import half_counted, halved, kept_by_size, lever, lost, responded, turns
from plgkit.notebook.tiling import tile, tiles
from plgkit.notebook.tracked import (
    against_plan,
    clocked,
    emptiest,
    in_use,
    reserved,
    robots,
    still_moving,
    stood_still,
    who_is_who,
)
from plgkit.notebook.trying import dealt_out, guarded, judged, judged_by, narrower, parted, peeked, waits
from plgkit.notebook.using import comes_again, dearest, stands_out, used_most
from plgkit.notebook.wheel import foreseen, held, pulled, raised
from plgkit.notebook.words import (
    count,
    counted,
    day,
    duration,
    hours,
    listed,
    money,
    month,
    number,
    points,
    share,
    show,
)
from plgkit.notebook.worth import came, rests, speak_with, survived, survivors, worths

__all__ = [
    "HONEST", "KNOWING", "against", "against_plan", "aged", "ahead", "among", "apart", "as_busy", "before",
    "behind", "beside", "by_hand", "called", "came", "chance", "change", "changed", "climbs", "clocked", "comes_again", "compared",
    "compared_with", "count", "counted", "day", "dealt_out", "dearest", "definition", "detours", "drifted",
    "driven", "duration", "emptiest", "finding", "first", "followed", "foreseen", "gained", "grew", "guarded",
    "half_counted", "halved", "halves", "harmless", "held", "highest", "holders", "hours", "in_a_minute", "in_need", "in_use", "judged",
    "judged_by", "kept_by_size", "largest", "last", "latest", "leaked", "leaked_by", "leaking", "leaky_stages", "learned", "levelled", "lever",
    "lines", "listed", "lost", "lowest", "made_of", "money", "month", "moved", "moved_most", "moved_places",
    "narrower", "net_loss", "next_step", "note", "number", "on_the_way", "parted", "parting", "path", "pay_oftener", "peeked",
    "period", "plans", "points", "pulled", "raised", "refit", "reserved", "responded", "rests", "retained", "robots", "same_period",
    "share", "show", "signs", "silence", "slipping", "sold", "soon", "span", "speak_with", "standings",
    "stands_out", "start", "still_moving", "still_used", "stood_still", "strange_days", "survived", "survivors",
    "table", "taken_apart", "target", "tile", "tiles", "to_csv", "to_pull", "turns", "unasked", "used_most",
    "valued", "waits", "ways", "who_is_who", "worst", "worths",
]
