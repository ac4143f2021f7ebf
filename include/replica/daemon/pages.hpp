// The pages that monitoring asks a server for, like those of Swift's recon and healthcheck
// middleware: swift-recon and load balancers keep working if a server of ours has the ring's port.
// Beside them what is ours alone: the metrics of the service.
// Behaviour: swift/common/middleware/recon.py and healthcheck.py of Swift 2.30.1.
#ifndef REPLICA_DAEMON_PAGES_HPP
#define REPLICA_DAEMON_PAGES_HPP

#include <replica/clock.hpp>
#include <replica/daemon/exposition.hpp>
#include <replica/daemon/facts.hpp>
#include <replica/daemon/metrics.hpp>
#include <replica/daemon/page.hpp>
#include <replica/daemon/recon.hpp>
#include <replica/daemon/settings.hpp>
#include <replica/daemon/status_json.hpp>
#include <replica/disk.hpp>
#include <replica/disk/posix.hpp>
#include <replica/error.hpp>
#include <replica/transport.hpp>
#include <replica/version.hpp>
#include <replica/words/md5.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica::daemon {

namespace detail {

/// A page made of keys of a recon file, which the daemons of a node write.
struct ReconPage {
    std::string_view path; // after "/recon/"
    std::string_view file;
    std::array<std::string_view, 4> keys; // unused slots are empty
};

inline constexpr std::array recon_pages{
    ReconPage{"replication/account",
              "account.recon",
              {"replication_time", "replication_stats", "replication_last"}},
    ReconPage{"replication/container",
              "container.recon",
              {"replication_time", "replication_stats", "replication_last"}},
    ReconPage{"auditor/account",
              "account.recon",
              {"account_audits_passed", "account_auditor_pass_completed", "account_audits_since",
               "account_audits_failed"}},
    ReconPage{"auditor/container",
              "container.recon",
              {"container_audits_passed", "container_auditor_pass_completed",
               "container_audits_since", "container_audits_failed"}},
    ReconPage{"updater/container", "container.recon", {"container_updater_sweep"}},
    ReconPage{"sharding", "container.recon", {"sharding_stats", "sharding_time", "sharding_last"}},
};

} // namespace detail

/// Answers GET: /healthcheck, and below /recon/ the pages of recon_pages, version, time, ringmd5,
/// swiftconfmd5, unmounted, diskusage and, which is ours alone, doubts. With facts also /metrics,
/// in OpenMetrics, /metrics.txt, the same in Prometheus' older format, /status.json, and / for
/// people. Other paths get a 404.
/// Thread safety: any thread.
template <Disk D = PosixDisk, Clock C = SystemClock>
class Pages {
public:
    /// The numbers of the page "doubts", by name.
    using Counts = std::function<std::map<std::string, std::uint64_t>()>;

    /// What the service knows now.
    using Know = std::function<FactsNow()>;

    explicit Pages(const DaemonSettings& settings, D disk = {}, C clock = {}, Counts doubts = {},
                   Know know = {})
        : devices_(settings.devices), swift_dir_(settings.swift_dir),
          recon_(settings.recon_cache_path), disk_(std::move(disk)), clock_(std::move(clock)),
          doubts_(std::move(doubts)), know_(std::move(know)) {}

    [[nodiscard]] Reply operator()(std::string_view path) {
        constexpr std::string_view below = "/recon/";
        if (path == "/healthcheck") {
            return {200, "text/plain", "OK", {}};
        }
        if (!path.starts_with(below)) {
            return know_ ? of_facts(path) : unknown(path);
        }
        const std::string_view page = path.substr(below.size());
        const auto known = std::ranges::find(detail::recon_pages, page, &detail::ReconPage::path);
        if (known != detail::recon_pages.end()) {
            return json(from_cache(*known));
        }
        if (page == "version") {
            return json(boost::json::object{{"version", version_text()}});
        }
        if (page == "time") {
            return json(static_cast<double>(clock_.now().ticks) /
                        static_cast<double>(Timestamp::ticks_per_second));
        }
        if (page == "ringmd5") {
            return json(ring_digests());
        }
        if (page == "swiftconfmd5") { // swift-recon looks for this name, whatever swift_dir is
            const auto digest = digest_of(swift_dir_ + "/swift.conf");
            return json(boost::json::object{{"/etc/swift/swift.conf", digest}});
        }
        if (page == "doubts" && doubts_) {
            boost::json::object counts;
            for (const auto& [name, count] : doubts_()) {
                counts[name] = count;
            }
            return json(counts);
        }
        if (page == "unmounted" || page == "diskusage") {
            return devices(page == "diskusage");
        }
        return unknown(path);
    }

private:
    [[nodiscard]] static Reply unknown(std::string_view path) {
        return {404, "text/plain", "Invalid path: " + std::string(path), {}};
    }

    /// The pages that need no disk and no file.
    [[nodiscard]] Reply of_facts(std::string_view path) const {
        if (path == "/metrics" || path == "/metrics.txt") {
            const auto form =
                path == "/metrics" ? Exposition::Form::openmetrics : Exposition::Form::text;
            return {200, Exposition::content_type(form), metrics_text(know_(), form), {}};
        }
        if (path == "/status.json") {
            return json(status_json(know_()));
        }
        return path == "/" ? Reply{200, "text/html; charset=utf-8", std::string(status_page), {}}
                           : unknown(path);
    }

    [[nodiscard]] static Reply json(const boost::json::value& value) {
        Reply reply{200, "application/json", {}, {}};
        append_sorted(reply.body, value);
        return reply;
    }

    /// The file's content; empty if it cannot be read.
    [[nodiscard]] std::optional<std::string> read(const std::string& path) {
        try {
            const auto status = disk_.stat(path);
            if (status && !status->directory) {
                return disk_.read(path, static_cast<std::size_t>(status->size));
            }
        } catch (const Failure&) { // removed, or no permission
        }
        return std::nullopt;
    }

    /// null for keys that nobody has written yet.
    [[nodiscard]] boost::json::object from_cache(const detail::ReconPage& page) {
        boost::system::error_code code;
        const auto text = read(recon_ + '/' + std::string(page.file));
        const auto cache = boost::json::parse(text.value_or("{}"), code);
        boost::json::object result;
        for (const std::string_view key : page.keys) {
            if (!key.empty()) {
                const auto* const found =
                    cache.is_object() ? cache.get_object().if_contains(key) : nullptr;
                result[key] = found == nullptr ? boost::json::value() : *found;
            }
        }
        return result;
    }

    /// null for a file that does not exist.
    [[nodiscard]] boost::json::value digest_of(const std::string& path) {
        const auto content = read(path);
        return content ? boost::json::value(to_hex(md5(*content))) : boost::json::value();
    }

    [[nodiscard]] boost::json::object ring_digests() {
        boost::json::object result;
        for (const char* name : {"/account.ring.gz", "/container.ring.gz"}) {
            const std::string path = swift_dir_ + name;
            if (auto digest = digest_of(path); digest.is_string()) {
                result[path] = std::move(digest);
            }
        }
        return result;
    }

    /// The directories below `devices`, and whether each is a mount point; mount_check is ignored,
    /// as in Swift. A dead disk may block this for ever, and monitors ask every minute, so only one
    /// request at a time may look; else all threads would end up blocked.
    [[nodiscard]] Reply devices(bool usage) {
        const std::unique_lock alone(looking_, std::try_to_lock);
        if (!alone) {
            return {503, "text/plain", "The disks have not answered the last request yet", {}};
        }
        auto entries = disk_.list(devices_);
        std::ranges::sort(entries, {}, &Entry::name);
        boost::json::array list;
        for (const Entry& entry : entries) {
            if (!entry.directory) {
                continue;
            }
            auto described = describe(entry.name, usage);
            const auto& mounted = described.at("mounted");
            if (usage || !mounted.is_bool() || !mounted.get_bool()) {
                list.push_back(std::move(described));
            }
        }
        return json(list);
    }

    [[nodiscard]] boost::json::object describe(const std::string& name, bool usage) {
        const std::string path = devices_ + '/' + name;
        boost::json::object result{{"device", name}, {"mounted", false}};
        if (usage) {
            result.insert({{"size", ""}, {"used", ""}, {"avail", ""}});
        }
        try {
            if (disk_.is_mount(path)) {
                result["mounted"] = true;
                if (usage) {
                    const Space space = disk_.space(path);
                    result["size"] = space.total;
                    result["used"] = space.total - space.free;
                    result["avail"] = space.free;
                }
            }
        } catch (const Failure& failure) {
            result["mounted"] = failure.what();
        }
        return result;
    }

    const std::string devices_;
    const std::string swift_dir_;
    const std::string recon_;
    D disk_;
    C clock_;
    Counts doubts_;
    Know know_;
    std::mutex looking_;
};

} // namespace replica::daemon

#endif
