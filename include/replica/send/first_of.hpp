#ifndef REPLICA_SEND_FIRST_OF_HPP
#define REPLICA_SEND_FIRST_OF_HPP

// Two ways for a file: the first where it goes, the second everywhere else.

#include <replica/clock.hpp>
#include <replica/error.hpp>
#include <replica/file_sync.hpp>

#include <stop_token>
#include <utility>

namespace replica {

/// Models FileSync, and has its laws from `A` and `B`. A failure of the first way is the result,
/// unless the target turned out to be none of its. Thread safety: that of both.
template <SelectiveFileSync A, FileSync B>
class FirstOf {
public:
    FirstOf(A first, B second) : first_(std::move(first)), second_(std::move(second)) {}

    template <Source S>
    [[nodiscard]] Result<Sent> send(S& source, const Upload& upload, Instant deadline,
                                    std::stop_token stop) {
        if (first_.takes(source, upload, deadline, stop)) {
            auto sent = first_.send(source, upload, deadline, stop);
            if (sent || first_.takes(source, upload, deadline, stop)) {
                return sent;
            }
        }
        return second_.send(source, upload, deadline, stop);
    }

private:
    A first_;
    B second_;
};

} // namespace replica

#endif // REPLICA_SEND_FIRST_OF_HPP
