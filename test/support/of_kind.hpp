#ifndef REPLICA_TEST_SUPPORT_OF_KIND_HPP
#define REPLICA_TEST_SUPPORT_OF_KIND_HPP

// What the shipped code has for a kind of database, for tests that run on both.

#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/sqlite/account.hpp>
#include <replica/sqlite/container.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <type_traits>

namespace replica::test {

template <class Kind, Disk D, Clock C>
using BrokerOf = std::conditional_t<std::same_as<Kind, AccountKind>, BasicAccountBroker<D, C>,
                                    BasicContainerBroker<D, C>>;

template <class Kind>
using SchemaOf = std::conditional_t<std::same_as<Kind, AccountKind>, sqlite::AccountSchema,
                                    sqlite::ContainerSchema>;

/// A name that no other SimVfs of this program has: SQLite knows its file systems by name.
[[nodiscard]] inline std::string unique_vfs_name() {
    static std::uint64_t last = 0;
    return "vfs" + std::to_string(++last);
}

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_OF_KIND_HPP
