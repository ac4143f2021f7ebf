// The last failures of a service, each with what to do about it. A log says the same thing once for
// every database; here a cause and whom it befell stand once, with a count.
#ifndef REPLICA_DAEMON_FAILURES_HPP
#define REPLICA_DAEMON_FAILURES_HPP

#include <replica/error.hpp>
#include <replica/observer.hpp>
#include <replica/words/timestamp.hpp>

#include <boost/locale/utf.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica::daemon {

namespace detail {

struct Advice {
    std::string_view word;
    std::string_view text;
};

inline constexpr std::array advices{
    Advice{"brake", "Compare swift.conf, the ring and the clock with other nodes. If the databases "
                    "are meant to leave, raise leave_share and reload."},
    Advice{"clock", "Repair the time service of the node that is wrong."},
    Advice{"database", "A lock: wait. Else look at the file, and at the disk."},
    Advice{"device_skipped",
           "Mount or replace the disk, or correct the ring or the option devices. "
           "Plain directories need mount_check = no."},
    Advice{"device_stalled", "Look at the disk: it does not answer."},
    Advice{"diverged", "Wait. If the same two stay, look at their files with --explain."},
    Advice{"listing", "Look at the disk: a directory cannot be read."},
    Advice{"not_in_ring", "Compare bind_ip and bind_port with the devices of the ring."},
    Advice{"pass", "Read the reason; nothing was done in this pass."},
    Advice{"peer", "Read the reason: it may lie with this node. Else read the log of the peer."},
    Advice{"peer_answer", "Look at the peer: it broke off or answered what is not the protocol."},
    Advice{"peer_failed", "503: wait. Else read the log of the peer."},
    Advice{"peer_not_mounted", "Mount or replace the disk of the peer; a handoff stands in."},
    Advice{"peer_refused", "Compare ring, swift.conf, secret and clock with the peer."},
    Advice{"peer_silent", "Look at the load, the disk and the network of the peer."},
    Advice{"peer_unreachable", "See that the server of the peer is up, and that it is reached."},
    Advice{"push", "503: wait. Else see that the server of the peer is up, and read its log."},
    Advice{"quarantined", "Check the disk. The primaries bring a new copy."},
    Advice{"request", "A request of a peer failed here. Read the log of this node."},
    Advice{"ring", "Write the ring file again. Until then the ring that was read before counts, "
                   "and the service would not start again."},
    Advice{"rsync", "Look at the rsync daemon of the peer: module, rights, connection limit."},
    Advice{"stale", "Decide: accept_stale, or move the copy away. See stale copies."},
    Advice{"stale_alone", "Leave it: no other primary had a copy, so it goes to them as it is. If "
                          "the database was deleted meanwhile, delete it once more."},
    Advice{"stale_awaits", "Wait for the peer's next row, or decide: accept_stale. See stale "
                           "copies."},
    Advice{"wrong_hash", "Compare swift_hash_path_suffix and prefix with other nodes."},
};

static_assert(std::ranges::is_sorted(advices, {}, &Advice::word));

} // namespace detail

/// The word for what a peer did wrong. A file goes to a peer by a push or by rsync, and `what`
/// tells which: one is a matter of the peer's server, the other of its rsync daemon.
[[nodiscard]] constexpr std::string_view word_for(Error error, std::string_view what = {}) {
    switch (error) {
    case Error::timed_out:
        return "peer_silent";
    case Error::connect_failed:
        return "peer_unreachable";
    case Error::connection_lost:
    case Error::bad_reply:
        return "peer_answer";
    case Error::transfer_failed:
        return what.starts_with("push to ") ? "push" : "rsync";
    case Error::peer_refused:
        return "peer_refused";
    case Error::peer_failed:
        return "peer_failed";
    case Error::not_mounted:
        return "peer_not_mounted";
    default:
        return "peer";
    }
}

/// The word for a copy that is told with the stale ones: what to do differs.
[[nodiscard]] constexpr std::string_view word_for(const event::Stale& copy) {
    return copy.alone ? "stale_alone" : copy.awaits ? "stale_awaits" : "stale";
}

/// What a page says of an error whose text may have names of accounts, containers or metadata: a
/// page is for everybody. The log has the text.
[[nodiscard]] inline std::string class_of(const boost::system::error_code& code) {
    return (code ? code.message() : "an error without a class") + ", see the log";
}

/// What to do about a failure; empty for a word that is not in the list.
[[nodiscard]] constexpr std::string_view advice_for(std::string_view word) {
    const auto found = std::ranges::find(detail::advices, word, &detail::Advice::word);
    return found == detail::advices.end() ? std::string_view() : found->text;
}

/// A reason as a page can show it. Peers and rsync send whatever bytes they like, and one byte that
/// is not UTF-8 would cost the page all else that it has to say. Such a byte becomes U+FFFD. What
/// is longer than `most` bytes is cut between two characters.
[[nodiscard]] inline std::string shown(std::string_view text, std::size_t most = 500) {
    using Utf8 = boost::locale::utf::utf_traits<char>;
    std::string out;
    for (const char* at = text.begin(); at != text.end();) {
        const char* next = at;
        const bool valid = boost::locale::utf::is_valid_codepoint(Utf8::decode(next, text.end()));
        next = valid ? next : at + 1; // what follows may be good
        const std::string_view piece = valid ? std::string_view(at, next) : "\xef\xbf\xbd";
        if (out.size() + piece.size() > most) {
            break;
        }
        out += piece;
        at = next;
    }
    return out;
}

/// What a peer did wrong, without its name, which stands beside it on every page. Of an answer that
/// cannot be read, and where nothing was told, it is the class of the error: see class_of.
[[nodiscard]] inline std::string reason_of(const boost::system::error_code& code,
                                           const std::string& peer, std::string what) {
    if (code == make_error_code(Error::bad_reply)) {
        return class_of(code);
    }
    if (what.starts_with(peer + ' ')) { // "10.0.0.1:6201/sdb1 answered 500"
        what.erase(0, peer.size() + 1);
    }
    for (const std::string name = peer + ": "; what.find(name) != what.npos;) {
        what.erase(what.find(name), name.size());
    }
    return what.empty() ? code.message() : what;
}

/// The ring file was looked at.
struct RingLook {
    std::string_view fault{}; ///< Why it cannot be used; empty: it is.
};

/// How the end of a failure is known.
enum class Ending {
    pass,     ///< A pass tells it anew while it lasts.
    answer,   ///< The peer as a whole is out of reach: its next good turn is the end.
    catch_up, ///< Of one database, and others may go well: the end is that the peer lacks nothing.
    rest,     ///< It happens once, and no pass tells it again: it counts for a day.
};

[[nodiscard]] constexpr Ending ending_of(std::string_view word) {
    if (word == "peer_silent" || word == "peer_unreachable" || word == "peer_not_mounted") {
        return Ending::answer;
    }
    if (word == "push" || word == "rsync" || word.starts_with("peer")) {
        return Ending::catch_up;
    }
    return word == "quarantined" || word == "request" ? Ending::rest : Ending::pass;
}

/// One cause, and whom it befell.
struct NotedFailure {
    std::string word;    ///< Stable, see advice_for.
    std::string subject; ///< A device of this node, or a peer, "10.0.0.1:6201/sdb1".
    std::string what;    ///< The reason, of the last time, as shown() gives it.
    std::uint64_t count = 0;
    Timestamp first{};
    Timestamp last{};
    Timestamp over_since{}; ///< Since when it is known to be over; 0: it is not.
    bool lasts = false;     ///< A state: it is taken out once it is over.
    bool told = true;       ///< Since the end of the last pass.
};

/// The last failures. What is over makes room first, then the oldest. Not thread safe.
class Failures {
public:
    static constexpr std::size_t most = 32;
    static constexpr double day = 86'400; ///< In seconds, see Ending::rest.

    void add(std::string_view word, const std::string& subject, std::string_view what,
             Timestamp now) {
        note(word, subject, what, now, false);
    }

    /// A failure that lasts until it is set with an empty `what`. It makes room for no other.
    void set(std::string_view word, const std::string& subject, std::string_view what,
             Timestamp now) {
        if (what.empty()) {
            noted_.erase({std::string(word), subject});
        } else {
            note(word, subject, what, now, true);
        }
    }

    /// A turn of `peer` did not fail. `has_all`: no database is known that it lacks in part.
    void went_well(const std::string& peer, bool has_all, Timestamp now) {
        for (auto& [key, noted] : noted_) {
            const Ending ending = ending_of(noted.word);
            if (noted.subject == peer &&
                (ending == Ending::answer || (ending == Ending::catch_up && has_all))) {
                is_over(noted, now);
            }
        }
    }

    /// A pass has ended. What it did not tell is over, unless the pass cannot know: `may_last(a
    /// subject)`.
    template <std::predicate<const std::string&> MayLast>
    void end_pass(Timestamp now, MayLast may_last) {
        for (auto& [key, noted] : noted_) {
            const bool counts =
                ending_of(noted.word) == Ending::rest && now.seconds() - noted.last.seconds() < day;
            if (!noted.told && !noted.lasts && !counts && !may_last(noted.subject)) {
                is_over(noted, now);
            }
            noted.told = false;
        }
    }

    /// Those that last, then the others; the latest first.
    [[nodiscard]] std::vector<NotedFailure> latest() const {
        std::vector<NotedFailure> list;
        list.reserve(noted_.size());
        for (const auto& [key, noted] : noted_) {
            list.push_back(noted);
        }
        std::ranges::stable_sort(list, std::ranges::greater{}, rank);
        return list;
    }

private:
    static void is_over(NotedFailure& noted, Timestamp now) {
        noted.over_since = noted.over_since == Timestamp{} ? now : noted.over_since;
    }

    [[nodiscard]] static std::pair<bool, Timestamp> rank(const NotedFailure& noted) {
        return {noted.lasts, noted.last};
    }

    void note(std::string_view word, const std::string& subject, std::string_view what,
              Timestamp now, bool lasts) {
        auto& noted = noted_[{std::string(word), subject}];
        if (noted.count == 0) {
            noted.word = word;
            noted.subject = subject;
            noted.first = now;
        }
        ++noted.count;
        noted.last = now;
        noted.over_since = {};
        noted.lasts = lasts;
        noted.told = true;
        noted.what = shown(what);
        if (noted_.size() > most) {
            noted_.erase(std::ranges::min_element(noted_, {}, [](const auto& each) {
                return std::pair(each.second.over_since == Timestamp{}, rank(each.second));
            }));
        }
    }

    std::map<std::pair<std::string, std::string>, NotedFailure> noted_{};
};

} // namespace replica::daemon

#endif
