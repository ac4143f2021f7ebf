// What became of some databases in passes of their own: for each peer what was sent, and whether
// all of it arrived. An observer gathers it from what a pass tells. Last, whether all is well: only
// if the turn has ended, each peer has all of it, and a comparison found nothing else.
#ifndef REPLICA_TOOL_REPAIR_HPP
#define REPLICA_TOOL_REPAIR_HPP

#include <replica/observer.hpp>
#include <replica/ring.hpp>
#include <replica/tool/text.hpp>
#include <replica/tool/verify.hpp>

#include <boost/json/object.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica::tool {

/// What one peer of a database got.
struct PeerRepair {
    std::int64_t rows = 0;  ///< Rows that were sent.
    std::int64_t bytes = 0; ///< Of whole files that were sent.
    bool done = false;      ///< It has all that there was.
    bool failed = false;    ///< It could not be reached, or refused.
    bool capped = false;    ///< More rows are left for another pass.
    std::string why{};      ///< If it is not done.

    /// In a word: "done", "failed", "more" (another pass goes on), or "held" (see `why`).
    [[nodiscard]] std::string_view result() const {
        return done ? "done" : failed ? "failed" : capped ? "more" : "held";
    }
};

/// What became of one database.
struct DatabaseRepair {
    bool met = false;      ///< A pass has come to it.
    bool ended = false;    ///< Its last turn has ended, and was not given up.
    bool success = false;  ///< All peers have all of it.
    bool gone = false;     ///< It has left this device.
    std::string path{};    ///< The file that the pass met: of a sharding database the newest.
    std::string trouble{}; ///< What is wrong with the copy here, or why it stays.
    std::map<std::string, PeerRepair> peers{};
};

/// Tells another observer everything, and gathers what becomes of each database. Copies share what
/// was gathered. Thread safety: any thread.
template <Observer O>
class RepairObserver {
public:
    explicit RepairObserver(O next) : next_(std::move(next)) {}

    template <class Event>
    void operator()(const Event& event) {
        {
            const std::lock_guard guard(state_->mutex);
            if constexpr (requires { note(event); }) {
                note(event);
            }
        }
        next_(event);
    }

    /// What was gathered, by the directory of the database.
    [[nodiscard]] std::map<std::string, DatabaseRepair> found() const {
        const std::lock_guard guard(state_->mutex);
        return state_->found;
    }

    /// From now on `use` is called with the number of databases that have had a turn since the last
    /// again(), whenever one has; one call at a time. Before the first event.
    void on_end(std::function<void(std::size_t)> use) { state_->on_end = std::move(use); }

    /// Whether another pass would send more. Forgets which pass has ended.
    [[nodiscard]] bool again() {
        const std::lock_guard guard(state_->mutex);
        state_->ended = 0;
        return std::exchange(state_->capped, false);
    }

private:
    struct State {
        std::mutex mutex{};
        std::map<std::string, DatabaseRepair> found{};
        std::size_t ended = 0;
        bool capped = false;
        std::function<void(std::size_t)> on_end{};
    };

    [[nodiscard]] DatabaseRepair& of(const std::string& path) {
        return state_->found[path.substr(0, path.rfind('/'))];
    }
    [[nodiscard]] PeerRepair& of(const std::string& path, const Device& peer) {
        return of(path).peers[name_of(peer)];
    }

    void note(const event::DatabaseBegan& database) {
        DatabaseRepair& found = of(database.path);
        found.met = true;
        found.ended = found.success = false;
        found.path = database.path;
        found.trouble.clear();
    }
    void note(const event::DatabaseEnded& database) {
        DatabaseRepair& found = of(database.path);
        found.ended = true;
        found.success = database.success;
        ++state_->ended;
        if (state_->on_end) {
            state_->on_end(state_->ended);
        }
    }
    void note(const event::DatabaseFailed& database) { of(database.path).trouble = database.what; }
    void note(const event::Quarantined& database) {
        of(database.path).trouble = "went to " + database.target + ": " + database.reason;
    }
    void note(const event::WrongHash& database) {
        of(database.path).trouble =
            "holds " + database.name + ", whose hash is not the file's: see swift_hash_path_suffix";
    }
    void note(const event::Stale& database) {
        of(database.path).trouble =
            database.alone    ? ""
            : database.awaits ? "the last rows of a peer never came: nothing is sent again "
                                "(accept_stale)"
                              : "is stale: old rows are held back (accept_stale)";
    }
    void note(const event::Kept& database) {
        of(database.path).trouble = "stays here: " + database.reason;
    }
    void note(const event::Removed& database) {
        of(database.path).gone = true;
        of(database.path).trouble = "has left this device: " + std::string(database.reason);
    }
    void note(const event::UsyncEnded& rows) {
        PeerRepair& peer = of(rows.path, rows.peer);
        peer.rows += rows.rows;
        peer.capped = rows.capped;
        state_->capped = state_->capped || rows.capped;
    }
    void note(const event::Compared& rows) { of(rows.path, rows.peer).rows += rows.sent; }
    void note(const event::WholeFileSent& file) { of(file.path, file.peer).bytes += file.bytes; }
    void note(const event::Deferred& peer) {
        of(peer.path, peer.peer).why = "the rows belong to the sharder";
    }
    void note(const event::PeerNotMounted& peer) {
        of(peer.path, peer.peer).why = "its device is not mounted";
    }
    void note(const event::PeerFailed& peer) { of(peer.path, peer.peer).why = peer.what; }
    void note(const event::PeerEnded& ended) {
        PeerRepair& peer = of(ended.path, ended.peer);
        peer.done = ended.success;
        peer.failed = ended.failed;
        if (peer.done) {
            peer.why.clear();
        }
        peer.capped = peer.capped && !peer.done;
    }

    O next_;
    std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// What a repair has come to, as an exit code tells it.
enum class RepairVerdict {
    well,
    silent,  ///< Nobody knows: a peer does not answer, or nothing was compared.
    trouble, ///< Something is not as it should be.
};

/// The worse of two.
[[nodiscard]] inline RepairVerdict worse(RepairVerdict one, RepairVerdict other) {
    return one < other ? other : one;
}

/// Of one peer and what a comparison found of it; null if it found nothing.
[[nodiscard]] inline RepairVerdict verdict_of(const PeerRepair& repair, const Finding* finding) {
    if (finding != nullptr && finding->verdict == Verdict::differs) {
        return RepairVerdict::trouble;
    }
    if (repair.failed || (finding != nullptr && finding->verdict == Verdict::unknown)) {
        return RepairVerdict::silent;
    }
    return repair.done ? RepairVerdict::well : RepairVerdict::trouble;
}

/// The finding of a peer among all of a database; null if there is none.
[[nodiscard]] inline const Finding* finding_of(const std::vector<Finding>& compared,
                                               const std::string& peer) {
    for (const Finding& each : compared) {
        if (each.peer == peer) {
            return &each;
        }
    }
    return nullptr;
}

/// Of one database, with what a comparison found afterwards: of all peers, and of the copy here.
[[nodiscard]] inline RepairVerdict verdict_of(const DatabaseRepair& repair,
                                              const std::vector<Finding>& compared) {
    if (!repair.met || !repair.ended || (!repair.trouble.empty() && !repair.gone) ||
        (!repair.success && repair.peers.empty())) {
        return RepairVerdict::trouble;
    }
    auto verdict = repair.gone || !compared.empty() ? RepairVerdict::well : RepairVerdict::silent;
    for (const auto& [peer, each] : repair.peers) {
        verdict = worse(verdict, verdict_of(each, finding_of(compared, peer)));
    }
    for (const Finding& each : compared) {
        verdict = worse(verdict, each.verdict == Verdict::differs   ? RepairVerdict::trouble
                                 : each.verdict == Verdict::unknown ? RepairVerdict::silent
                                                                    : RepairVerdict::well);
    }
    return verdict;
}

/// What is wrong with a database or its copy here, in words; empty if nothing is.
[[nodiscard]] inline std::string trouble_of(const DatabaseRepair& repair) {
    return !repair.met     ? "no pass has come to it: it is not there, or its device is not this "
                             "node's or cannot be used"
           : !repair.ended ? "its turn has not ended"
                           : repair.trouble;
}

/// A line for programs. `identical`: "same", "differs", "unknown", or empty if nobody has compared.
[[nodiscard]] inline boost::json::object repair_line(const std::string& path,
                                                     const std::string& peer,
                                                     const PeerRepair& repair,
                                                     std::string_view identical) {
    boost::json::object line{{"database", path},
                             {"peer", peer},
                             {"rows", repair.rows},
                             {"file_bytes", repair.bytes},
                             {"result", std::string(repair.result())},
                             {"why", repair.why}};
    if (!identical.empty()) {
        line["afterwards"] = std::string(identical);
    }
    return line;
}

} // namespace replica::tool

#endif
