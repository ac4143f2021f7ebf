#ifndef REPLICA_SQLITE_OPTIONS_HPP
#define REPLICA_SQLITE_OPTIONS_HPP

// Apart from the handle and the broker, which both have them.

#include <cstdint>
#include <string>

namespace replica {

/// How a broker uses its files. Only tests and benchmarks need other values.
struct SqliteOptions {
    int chunk_bytes = 0;                  ///< Files grow in steps of this; 0: SQLite's default.
    std::int64_t copy_at_once = 64 << 20; ///< Larger files are copied by rows. Bytes.
    std::int64_t page_rows = 2000;        ///< Rows per short transaction of copy_to and reclaim.
    bool migrate = true;                  ///< Bring files of old Swifts up to date.
    std::string vfs = {};                 ///< SQLite's file system layer; empty: its usual one.
};

} // namespace replica

#endif // REPLICA_SQLITE_OPTIONS_HPP
