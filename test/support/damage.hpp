#ifndef REPLICA_TEST_SUPPORT_DAMAGE_HPP
#define REPLICA_TEST_SUPPORT_DAMAGE_HPP

// What bad disks, mistakes of operators and other programs do to database files, as bytes and as
// SQL: for files on any kind of disk.

#include "of_kind.hpp"
#include <replica/error.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <string>

namespace replica::test {

/// The file as broken bytes, which is told as `error`: corrupt, not_a_database, or wal if it comes
/// from elsewhere. Whoever has it open reads its pages anew. Empty: another error, see
/// damaging_sql.
[[nodiscard]] inline std::string damaged(std::string file, Error error) {
    constexpr std::size_t page = 4096;
    if (error == Error::corrupt) {
        BOOST_REQUIRE(file.size() > page);
        ++file[27]; // of the number of changes
        return file.replace(page, std::string::npos, std::string(file.size() - page, 'x'));
    }
    if (error == Error::not_a_database) {
        return std::string(page, 'x');
    }
    if (error == Error::wal) {
        return file.replace(18, 2, "\2\2");
    }
    return {};
}

/// What makes the file be told as `error`: missing_table, or unknown_schema if it comes from
/// elsewhere. Error{}: its hash is not that of its rows, which nobody is told.
template <class Kind>
[[nodiscard]] std::string damaging_sql(Error error) {
    using S = SchemaOf<Kind>;
    if (error == Error{}) {
        return "UPDATE " + std::string(S::stat) +
               " SET hash = (CASE substr(hash, 1, 1) WHEN '0' THEN '1' ELSE '0' END)"
               " || substr(hash, 2)";
    }
    if (error == Error::unknown_schema) {
        return "CREATE TABLE of_another_program (x)";
    }
    BOOST_REQUIRE((error == Error::missing_table));
    return "DROP TABLE outgoing_sync";
}

/// Takes a row away as a server would, so that the contents alone tell.
template <class Kind>
[[nodiscard]] std::string losing_sql(const std::string& row) {
    return "DELETE FROM " + std::string(SchemaOf<Kind>::rows) + " WHERE name = '" + row + "'";
}

/// An account has heard of the times of a container.
inline constexpr const char* reporting_sql =
    "UPDATE container_info SET reported_put_timestamp = put_timestamp,"
    " reported_delete_timestamp = delete_timestamp";

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_DAMAGE_HPP
