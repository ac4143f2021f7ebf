// `replica verify`: whether the databases of this node are those of their peers.
#ifndef REPLICA_EXAMPLE_REPLICA_TOOL_VERIFY_HPP
#define REPLICA_EXAMPLE_REPLICA_TOOL_VERIFY_HPP

#include "node.hpp"
#include "options.hpp"
#include <replica/beast/transport.hpp>
#include <replica/clock.hpp>
#include <replica/daemon/config.hpp>
#include <replica/daemon/secret_file.hpp>
#include <replica/disk/posix.hpp>
#include <replica/error.hpp>
#include <replica/ring/any_ring.hpp>
#include <replica/sqlite/account.hpp>
#include <replica/sqlite/container.hpp>
#include <replica/storage/storage.hpp>
#include <replica/tool/text.hpp>
#include <replica/tool/verify.hpp>
#include <replica/words/hash_path.hpp>

#include <boost/json/serialize.hpp>

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace replica::commands {

inline void print(const Options& options, const tool::Finding& finding) {
    if (options.json) {
        std::cout << boost::json::serialize(finding.json()) << std::endl;
        return;
    }
    std::cout << (finding.verdict == tool::Verdict::differs ? "DIFFERS  " : "UNKNOWN  ")
              << finding.path << (finding.peer.empty() ? "" : "  and  " + finding.peer);
    const char* before = "  in ";
    for (const std::string& each : finding.in) {
        std::cout << std::exchange(before, ", ") << each;
    }
    std::cout << (finding.why.empty() ? "" : "  " + tool::printable(finding.why)) << std::endl;
}

/// What verify counts, and shows on a terminal while it works.
struct Progress {
    std::int64_t databases = 0;
    std::int64_t comparisons = 0;
    std::set<std::string> doubtful{};
    bool shows = ::isatty(STDERR_FILENO) == 1;

    void note(const std::string& path, const std::vector<tool::Finding>& findings) {
        ++databases;
        comparisons += std::ssize(findings);
        for (const auto& finding : findings) {
            if (finding.verdict != tool::Verdict::same) {
                doubtful.insert(path);
            }
        }
        if (shows && databases % 100 == 0) {
            std::cerr << '\r' << databases << " databases, " << doubtful.size() << " in doubt"
                      << std::flush;
        }
    }
};

template <class B>
int verify(const Options& options, const daemon::Config& config) {
    using Kind = typename B::kind_type;
    const std::string kind(Kind::name);
    const auto settings = settings_of(config, kind, Kind::default_port);
    SqliteOptions only_look;
    only_look.migrate = false;
    B broker(PosixDisk(), SystemClock(), only_look);
    AnyRing<> watched(daemon::ring_path(settings, kind), {}, {});
    const auto ring = watched.version();
    BeastOptions transport_options(settings, kind);
    const auto secrets = daemon::read_secrets(settings.shared_secret_file);
    transport_options.secret = secrets.empty() ? std::string() : secrets.front();
    BeastTransport transport(transport_options);
    const auto local = local_devices_of(ring.devices(), settings);
    std::random_device random;
    tool::Verifier verifier(static_cast<const Settings&>(settings), broker, ring, transport, local,
                            std::uint64_t{random()} << 32U | random());

    Progress progress;
    std::vector<tool::Finding> bad;
    const auto check = [&](const std::string& path) { progress.note(path, verifier.check(path)); };
    for (const Device& device : local) {
        const std::string root = storage::device_path(settings.devices, device.device);
        if (settings.mount_check && !broker.disk().is_mount(root)) {
            bad.push_back({tool::Verdict::unknown, root, {}, {}, "is not mounted"});
        } else if (options.names.empty()) {
            verifier.each_database(root, check);
        } else {
            for (const std::string& name : options.names) {
                const HashPath hash_path{settings.hash_path_prefix, settings.hash_path_suffix};
                verifier.each_named(root, hash_path('/' + name), check);
            }
        }
    }
    std::cerr << (progress.shows && progress.databases >= 100 ? "\n" : "");
    if (progress.databases == 0 && !options.names.empty() && bad.empty()) {
        throw Failure(Error::missing, "this node has no " + kind + " of that name");
    }
    if (!progress.doubtful.empty()) { // a write on its way is no difference
        SystemClock().sleep_until(SystemClock().monotonic() + to_duration(Seconds(options.again)),
                                  {});
    }
    for (const std::string& path : progress.doubtful) {
        for (auto& finding : verifier.check(path)) {
            if (finding.verdict != tool::Verdict::same) {
                bad.push_back(std::move(finding));
            }
        }
    }
    bool differs = false;
    for (const tool::Finding& finding : bad) {
        print(options, finding);
        differs = differs || finding.verdict == tool::Verdict::differs;
    }
    if (!options.json) {
        std::cout << kind << ": " << progress.databases << " databases, " << progress.comparisons
                  << " comparisons, " << bad.size() << " that are not the same\n";
    }
    return differs ? trouble : bad.empty() ? fine : silent;
}

inline int verify(const Options& options) {
    const auto config = daemon::Config::read(std::filesystem::absolute(options.config));
    return config.has("container-replicator") ? verify<ContainerBroker>(options, config)
                                              : verify<AccountBroker>(options, config);
}

} // namespace replica::commands

#endif
