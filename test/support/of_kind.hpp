#ifndef REPLICA_TEST_SUPPORT_OF_KIND_HPP
#define REPLICA_TEST_SUPPORT_OF_KIND_HPP

// What the shipped code has for a kind of database, for tests that run on all.

#include <replica/clock.hpp>
#include <replica/disk.hpp>
#include <replica/sqlite/account.hpp>
#include <replica/sqlite/container.hpp>
#include <replica/sqlite/record.hpp>

#include <cstdint>
#include <string>

namespace replica::test {

template <class Kind>
struct OfKind;
template <Record T>
struct OfKind<RecordKind<T>> {
    using Schema = sqlite::RecordSchema<RecordKind<T>>;
    template <Disk D, Clock C>
    using Broker = BasicRecordBroker<T, D, C>;
};
template <>
struct OfKind<AccountKind> {
    using Schema = sqlite::AccountSchema;
    template <Disk D, Clock C>
    using Broker = BasicAccountBroker<D, C>;
};
template <>
struct OfKind<ContainerKind> {
    using Schema = sqlite::ContainerSchema;
    template <Disk D, Clock C>
    using Broker = BasicContainerBroker<D, C>;
};

template <class Kind, Disk D, Clock C>
using BrokerOf = typename OfKind<Kind>::template Broker<D, C>;

template <class Kind>
using SchemaOf = typename OfKind<Kind>::Schema;

/// A name that no other SimVfs of this program has: SQLite knows its file systems by name.
[[nodiscard]] inline std::string unique_vfs_name() {
    static std::uint64_t last = 0;
    return "vfs" + std::to_string(++last);
}

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_OF_KIND_HPP
