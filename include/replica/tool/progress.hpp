// One line on a terminal that says how far a long work is and how long it will still take. Nothing
// is shown of what is done within two seconds.
#ifndef REPLICA_TOOL_PROGRESS_HPP
#define REPLICA_TOOL_PROGRESS_HPP

#include <replica/clock.hpp>

#include <cstdint>
#include <ostream>
#include <string>
#include <utility>

namespace replica::tool {

/// So many seconds in words: "40 s", "12 min", "3 h".
[[nodiscard]] inline std::string rough(Seconds seconds) {
    const auto whole = static_cast<std::int64_t>(seconds.count());
    return whole < 100        ? std::to_string(whole) + " s"
           : whole < 100 * 60 ? std::to_string(whole / 60) + " min"
                              : std::to_string(whole / 3600) + " h";
}

/// The line. Goes when the object goes. Not thread safe.
template <Clock C>
class Progress {
public:
    /// `out` must outlive it. `shows`: whether there is a terminal at all.
    Progress(C clock, std::ostream& out, bool shows)
        : clock_(std::move(clock)), out_(&out), shows_(shows), began_(clock_.monotonic()),
          next_(began_ + to_duration(patience)) {}
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    ~Progress() { clear(); }

    /// `done` of `total` parts are done; `more` says what else there is to say.
    void at(std::size_t done, std::size_t total, const std::string& what,
            const std::string& more = {}) {
        const Instant now = clock_.monotonic();
        if (!shows_ || now < next_) {
            return;
        }
        next_ = now + to_duration(between);
        std::string line = '\r' + std::to_string(done) + " of " + std::to_string(total) + ' ' +
                           what + (more.empty() ? "" : ", " + more);
        if (done > 0 && done <= total) {
            const Seconds passed(now - began_);
            line += ", about " +
                    rough(passed * static_cast<double>(total - done) / static_cast<double>(done)) +
                    " left";
        }
        *out_ << line << "\x1b[K" << std::flush;
        shown_ = true;
    }

    /// Takes the line away, for other output or at the end.
    void clear() {
        if (std::exchange(shown_, false)) {
            *out_ << "\r\x1b[K" << std::flush;
        }
    }

private:
    static constexpr Seconds patience{2};
    static constexpr Seconds between{0.25};

    C clock_;
    std::ostream* out_;
    bool shows_;
    Instant began_;
    Instant next_;
    bool shown_ = false;
};

} // namespace replica::tool

#endif
