#ifndef REPLICA_ACCOUNT_KIND_HPP
#define REPLICA_ACCOUNT_KIND_HPP

// Accounts: the smallest kind. Their rows are containers.

#include <replica/kind.hpp>
#include <replica/words/info.hpp>
#include <replica/words/members.hpp>

#include <cstdint>
#include <string_view>

namespace replica {

/// A row is a container. Accounts do nothing in any hook.
struct AccountKind : PlainKind<AccountInfo, ContainerRow> {
    static constexpr std::string_view name = "account";
    static constexpr std::string_view datadir = "accounts";
    static constexpr std::uint16_t default_port = 6202;
};

} // namespace replica

#endif // REPLICA_ACCOUNT_KIND_HPP
