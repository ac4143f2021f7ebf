#ifndef REPLICA_EXAMPLE_QUICKSTART_CLUSTER_HPP
#define REPLICA_EXAMPLE_QUICKSTART_CLUSTER_HPP

// The layout of quickstart.sh's four nodes, for the two tools that read and write their databases.
// Each node is a directory named after its address:
//
//     127.0.0.1/etc/swift.conf, container-ring.json, account-ring.json
//     127.0.0.1/srv/<device>/containers/<partition>/<suffix>/<hash>/<hash>.db

#include <replica/daemon/swift_conf.hpp>
#include <replica/ring/json_ring.hpp>
#include <replica/words/hash_path.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quickstart {

inline constexpr auto first_node = "127.0.0.1";

/// The ring of one kind of database, and the paths of its devices. All nodes have the same ring, so
/// the first node's is read. Throws replica::Failure that names a file which cannot be read.
template <class Kind>
    requires std::convertible_to<decltype(Kind::name), std::string_view>
class Cluster {
public:
    explicit Cluster(std::string root)
        : root_(std::move(root)), hash_path_(read_hash_path(etc())),
          ring_(replica::JsonRing<>(etc() + std::string(Kind::name) + "-ring.json").version()) {}

    [[nodiscard]] const std::vector<replica::Device>& devices() const { return ring_.devices(); }

    /// `name` is "/account" or "/account/container".
    [[nodiscard]] std::string hash(const std::string& name) const { return hash_path_(name); }

    [[nodiscard]] std::uint32_t partition(const std::string& hash) const {
        return ring_.partition(hash);
    }

    [[nodiscard]] std::vector<replica::Device> primaries(const std::string& hash) const {
        return ring_.primaries(partition(hash));
    }

    [[nodiscard]] replica::Device first_handoff(const std::string& hash) const {
        return ring_.handoffs(partition(hash)).next().value();
    }

    [[nodiscard]] std::string path_of(const replica::Device& device) const {
        return root_ + '/' + device.replication_ip + "/srv/" + device.device;
    }

    /// The path of a database on a device.
    [[nodiscard]] std::string path_of(const replica::Device& device,
                                      const std::string& hash) const {
        const std::string partition_name = std::to_string(partition(hash));
        return path_of(device) + '/' +
               replica::storage_directory(Kind::datadir, partition_name, hash) + '/' + hash + ".db";
    }

private:
    [[nodiscard]] std::string etc() const { return root_ + '/' + first_node + "/etc/"; }

    [[nodiscard]] static replica::HashPath read_hash_path(const std::string& etc) {
        const auto conf = replica::daemon::read_swift_conf(etc + "swift.conf");
        return {conf.hash_path_prefix, conf.hash_path_suffix};
    }

    std::string root_;
    replica::HashPath hash_path_;
    replica::JsonRingVersion ring_;
};

} // namespace quickstart

#endif // REPLICA_EXAMPLE_QUICKSTART_CLUSTER_HPP
