#include <replica/daemon/settings.hpp>

#define BOOST_TEST_MODULE daemon_settings
#include <boost/test/unit_test.hpp>

#include <type_traits>

using namespace replica;
using namespace replica::daemon;

static_assert(std::is_aggregate_v<DaemonSettings>);
static_assert(std::is_convertible_v<const DaemonSettings&, const Settings&>);

namespace {

// A host program, which sets Settings only, does not see what belongs to the process.
template <class S>
concept HasProcess =
    requires(S settings) { settings.user; } || requires(S settings) { settings.log_address; } ||
    requires(S settings) { settings.log_statsd_host; } ||
    requires(S settings) { settings.recon_cache_path; };

} // namespace

static_assert(HasProcess<DaemonSettings> && !HasProcess<Settings>);

BOOST_AUTO_TEST_CASE(the_defaults_of_a_daemon_are_those_of_swift) {
    const DaemonSettings settings;
    BOOST_TEST(settings.recon_cache_path == "/var/cache/swift");
    BOOST_TEST(settings.swift_dir == "/etc/swift");
    BOOST_TEST(settings.ring.empty());
    BOOST_TEST(!settings.db_preallocation);
    BOOST_TEST(settings.user == "swift");
    BOOST_TEST(settings.daemonize);
    BOOST_TEST(settings.log_facility == "LOG_LOCAL0");
    BOOST_TEST(settings.log_statsd_port == 8125);
}

BOOST_AUTO_TEST_CASE(a_ring_that_is_not_named_is_the_one_in_swifts_directory) {
    DaemonSettings settings;
    BOOST_TEST(ring_path(settings, "account") == "/etc/swift/account.ring.gz");
    settings.swift_dir = "/srv/etc";
    BOOST_TEST(ring_path(settings, "container") == "/srv/etc/container.ring.gz");
    settings.ring = "/var/ring.json";
    BOOST_TEST(ring_path(settings, "container") == "/var/ring.json");
}
