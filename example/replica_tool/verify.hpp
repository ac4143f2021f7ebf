// `replica verify`: whether the databases of this node are those of their peers.
#ifndef REPLICA_EXAMPLE_REPLICA_TOOL_VERIFY_HPP
#define REPLICA_EXAMPLE_REPLICA_TOOL_VERIFY_HPP

#include "node.hpp"
#include "options.hpp"
#include <replica/clock.hpp>
#include <replica/daemon/config.hpp>
#include <replica/error.hpp>
#include <replica/storage/storage.hpp>
#include <replica/tool/databases.hpp>
#include <replica/tool/progress.hpp>
#include <replica/tool/text.hpp>
#include <replica/tool/verify.hpp>
#include <replica/words/hash_path.hpp>

#include <boost/json/serialize.hpp>

#include <unistd.h>

#include <cstddef>
#include <cstdint>
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
              << finding.path << (finding.peer.empty() ? "" : "  and  " + finding.peer)
              << finding.text() << std::endl;
}

/// What verify counts.
struct Verified {
    std::int64_t databases = 0;
    std::int64_t comparisons = 0;
    std::set<std::string> doubtful{};

    void note(const std::string& path, const std::vector<tool::Finding>& findings) {
        ++databases;
        comparisons += std::ssize(findings);
        for (const auto& finding : findings) {
            if (finding.verdict != tool::Verdict::same) {
                doubtful.insert(path);
            }
        }
    }

    [[nodiscard]] std::string text() const {
        return std::to_string(databases) + " databases, " + std::to_string(doubtful.size()) +
               " in doubt";
    }
};

/// Has `check` called with each database of the partitions, and shows how far it is.
template <class Verifier, class Check>
void verify_all(Verifier& verifier, const std::vector<tool::PartitionDirectory>& partitions,
                const Verified& verified, Check check) {
    tool::Progress progress(SystemClock(), std::cerr, ::isatty(STDERR_FILENO) == 1);
    std::size_t done = 0;
    for (const auto& partition : partitions) {
        verifier.each_in(partition, [&](const std::string& path) {
            progress.at(done, partitions.size(), "partitions", verified.text());
            check(path);
        });
        ++done;
    }
}

template <class B>
int verify(const Options& options, const daemon::Config& config) {
    Node<B> node(config);
    const auto& settings = node.settings;
    std::random_device random;
    tool::Verifier verifier(node.engine(), node.broker, node.ring, node.transport, node.local,
                            std::uint64_t{random()} << 32U | random());

    Verified verified;
    std::vector<tool::Finding> bad;
    std::vector<tool::PartitionDirectory> partitions;
    std::set<std::string> missing(options.names.begin(), options.names.end());
    const auto check = [&](const std::string& path) { verified.note(path, verifier.check(path)); };
    for (const Device& device : node.local) {
        const std::string root = storage::device_path(settings.devices, device.device);
        const std::string why(tool::why_unusable(node.broker.disk(), root, settings.mount_check));
        if (!why.empty()) {
            bad.push_back({tool::Verdict::unknown, root, {}, {}, why});
        } else if (options.names.empty()) {
            const auto found = verifier.partitions(root);
            partitions.insert(partitions.end(), found.begin(), found.end());
        } else {
            for (const std::string& name : options.names) {
                const HashPath hash_path{settings.hash_path_prefix, settings.hash_path_suffix};
                const std::string whole = (name.starts_with('/') ? "" : "/") + name;
                verifier.each_named(root, hash_path(whole), [&](const std::string& path) {
                    missing.erase(name);
                    check(path);
                });
            }
        }
    }
    verify_all(verifier, partitions, verified, check);
    if (!verified.doubtful.empty()) { // a write on its way is no difference
        SystemClock().sleep_until(SystemClock().monotonic() + to_duration(Seconds(options.again)),
                                  {});
    }
    for (const std::string& path : verified.doubtful) {
        for (auto& finding : verifier.check(path)) {
            if (finding.verdict != tool::Verdict::same) {
                bad.push_back(std::move(finding));
            }
        }
    }
    std::int64_t unlike = 0;
    for (const tool::Finding& finding : bad) {
        print(options, finding);
        unlike += finding.verdict == tool::Verdict::differs ? 1 : 0;
    }
    if (!options.json) {
        std::cout << node.kind << ": " << verified.databases << " databases, "
                  << verified.comparisons << " comparisons, " << unlike << " differ, "
                  << std::ssize(bad) - unlike << " unknown\n";
    }
    if (!bad.empty() && settings.replica_port == 0) {
        std::cerr << "replica: replica_port is not set, and rows can be compared with servers of "
                     "ours only\n";
    }
    for (const std::string& name : missing) {
        std::cerr << "replica: this node has no " << node.kind << ' ' << name << '\n';
    }
    if (unlike > 0) {
        return trouble;
    }
    return !bad.empty() ? silent : missing.empty() ? fine : cannot;
}

inline int verify(const Options& options) {
    return with_kind(options.config, [&](const daemon::Config& config, auto broker) {
        return verify<typename decltype(broker)::type>(options, config);
    });
}

} // namespace replica::commands

#endif
