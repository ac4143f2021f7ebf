#ifndef REPLICA_RECEIVE_COMPARE_HPP
#define REPLICA_RECEIVE_COMPARE_HPP

// Answers `compare` (words/compare.hpp) from one reading of all rows, which is also an audit: hash
// and sums that are not those of the rows are mended, and the sender does not go by the comparison.

#include <replica/broker.hpp>
#include <replica/observer.hpp>
#include <replica/receive/answer.hpp>
#include <replica/transport.hpp>
#include <replica/words/compare.hpp>

#include <cstdint>
#include <limits>
#include <string>

namespace replica {

/// 200 with the groups that are unlike.
template <ComparableDatabase D, Observer O>
[[nodiscard]] Reply answer_compare(D& database, const std::string& path,
                                   const message::Compare& ask, O& observer) {
    // Before the rows are read: points for a file that comes meanwhile must not be taken.
    message::Compared answer{database.info().id, true, {}};
    const RowScan scan =
        database.scan_rows(ask.key, ask.groups(), std::numeric_limits<std::int64_t>::max());
    answer.sound = scan.sound;
    answer.unlike = scan.digests.unlike(ask.sums);
    if (!scan.sound && database.mend_sums()) {
        const std::string what = "its hash or its sums did not agree with its rows; the rows count";
        observer(event::SetAside{path, what});
    }
    return answer::text(200, message::encode(answer));
}

} // namespace replica

#endif // REPLICA_RECEIVE_COMPARE_HPP
