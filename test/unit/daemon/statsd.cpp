#include <replica/daemon/statsd.hpp>

#define BOOST_TEST_MODULE daemon_statsd
#include <boost/test/unit_test.hpp>

#include <support/daemon.hpp>

#include <string>

using namespace replica;
using namespace replica::daemon;

namespace {

DaemonSettings settings_for(const support::Listener& listener) {
    DaemonSettings settings;
    settings.log_name = "container-replicator";
    settings.log_statsd_host = "127.0.0.1";
    settings.log_statsd_port = listener.port();
    return settings;
}

int count_messages(const support::Listener& listener) {
    int count = 0;
    while (listener.next(0)) {
        ++count;
    }
    return count;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_counter_is_one_datagram) {
    const support::Listener listener;
    Statsd statsd{settings_for(listener)};
    statsd.count("attempts");
    BOOST_TEST(*listener.next() == "container-replicator.attempts:1|c");
    statsd.count("removes.sdb1", 3);
    BOOST_TEST(*listener.next() == "container-replicator.removes.sdb1:3|c");
    statsd.count("x", -2);
    BOOST_TEST(*listener.next() == "container-replicator.x:-2|c");
}

BOOST_AUTO_TEST_CASE(a_duration_is_sent_in_milliseconds) {
    const support::Listener listener;
    Statsd statsd{settings_for(listener)};
    statsd.timing("timing", Seconds{1.5});
    BOOST_TEST(*listener.next() == "container-replicator.timing:1500|ms");
    statsd.timing("timing", Seconds{0.00025});
    BOOST_TEST(*listener.next() == "container-replicator.timing:0.25|ms");
}

BOOST_AUTO_TEST_CASE(the_prefix_stands_before_the_log_name) {
    const support::Listener listener;
    auto settings = settings_for(listener);
    settings.log_statsd_metric_prefix = "host.rack1";
    Statsd{settings}.count("a");
    BOOST_TEST(*listener.next() == "host.rack1.container-replicator.a:1|c");
    settings.log_name.clear();
    Statsd{settings}.count("a");
    BOOST_TEST(*listener.next() == "host.rack1.a:1|c");
    settings.log_statsd_metric_prefix.clear();
    Statsd{settings}.count("a");
    BOOST_TEST(*listener.next() == "a:1|c");
}

BOOST_AUTO_TEST_CASE(labels_go_beside_the_plain_name_or_alone) {
    const support::Listener listener;
    auto settings = settings_for(listener);
    settings.log_statsd_metric_prefix = "host"; // as in Swift, of plain names only
    settings.statsd_label_mode = "graphite";
    settings.statsd_user_labels = {{"user_rack", "7"}};
    const Metric removed{"removes.sdb1", "removes", {{"device", "sdb1"}}};
    Statsd both{settings};
    both.count(removed);
    BOOST_TEST(*listener.next() == "host.container-replicator.removes.sdb1:1|c");
    BOOST_TEST(*listener.next() ==
               "swift_container_replicator_removes;device=sdb1;user_rack=7:1|c");
    both.timing("timing", Seconds{1});
    BOOST_TEST(*listener.next() == "host.container-replicator.timing:1000|ms");
    BOOST_TEST(*listener.next() == "swift_container_replicator_timing;user_rack=7:1000|ms");

    settings.statsd_emit_legacy = false;
    Statsd{settings}.count(removed, 2);
    BOOST_TEST(*listener.next() ==
               "swift_container_replicator_removes;device=sdb1;user_rack=7:2|c");
    settings.statsd_label_mode = "disabled";
    Statsd{settings}.count(removed);
    BOOST_TEST(!listener.next(0).has_value());
}

BOOST_AUTO_TEST_CASE(a_metric_with_labels_has_the_name_of_the_program_not_of_its_log) {
    const support::Listener listener;
    auto settings = settings_for(listener);
    settings.log_name = "east";
    settings.section = "container-replicator";
    settings.statsd_label_mode = "graphite";
    Statsd{settings}.count("a");
    BOOST_TEST(*listener.next() == "east.a:1|c");
    BOOST_TEST(*listener.next() == "swift_container_replicator_a:1|c");
}

BOOST_AUTO_TEST_CASE(both_lines_of_a_metric_are_sampled_together) {
    const support::Listener listener;
    auto settings = settings_for(listener);
    settings.log_statsd_default_sample_rate = 0.5;
    settings.statsd_label_mode = "dogstatsd";
    Statsd statsd{settings, 3};
    for (int i = 0; i < 64; ++i) {
        statsd.count("a");
        const int sent = count_messages(listener);
        BOOST_TEST((sent == 0 || sent == 2));
    }
}

BOOST_AUTO_TEST_CASE(a_sample_rate_is_told_with_the_metric) {
    const support::Listener listener;
    auto settings = settings_for(listener);
    settings.log_statsd_default_sample_rate = 0.5;
    Statsd statsd{settings, 1};
    for (int i = 0; i < 64; ++i) {
        statsd.count("a");
    }
    BOOST_TEST(*listener.next() == "container-replicator.a:1|c|@0.5");
}

BOOST_AUTO_TEST_CASE(about_the_sampled_share_is_sent) {
    const support::Listener listener;
    auto settings = settings_for(listener);
    settings.log_statsd_default_sample_rate = 0.5;
    settings.log_statsd_sample_rate_factor = 0.5;
    Statsd statsd{settings, 7};
    int sent = 0;
    for (int i = 0; i < 1000; ++i) {
        statsd.count("a");
        sent += count_messages(listener);
    }
    BOOST_TEST(sent > 200); // 250 expected, 14 the deviation
    BOOST_TEST(sent < 300);
}

BOOST_AUTO_TEST_CASE(a_rate_given_with_the_call_goes_before_the_default) {
    const support::Listener listener;
    auto settings = settings_for(listener);
    settings.log_statsd_default_sample_rate = 0;
    Statsd statsd{settings};
    statsd.count("never");
    statsd.count("always", 1, 1.0);
    BOOST_TEST(*listener.next() == "container-replicator.always:1|c");
}

BOOST_AUTO_TEST_CASE(the_same_seed_samples_the_same_metrics) {
    const support::Listener listener;
    auto settings = settings_for(listener);
    settings.log_statsd_default_sample_rate = 0.5;
    const auto pattern = [&](std::uint64_t seed) {
        Statsd statsd{settings, seed};
        std::string taken;
        for (int i = 0; i < 64; ++i) {
            statsd.count("a");
            taken += count_messages(listener) == 1 ? '1' : '0';
        }
        return taken;
    };
    BOOST_TEST(pattern(3) == pattern(3));
    BOOST_TEST(pattern(3) != pattern(4));
}

BOOST_AUTO_TEST_CASE(without_a_host_nothing_is_sent) {
    DaemonSettings settings;
    settings.log_name = "container-replicator";
    Statsd statsd{settings};
    statsd.count("a");
    statsd.resolve();
    statsd.timing("b", Seconds{1});
}

BOOST_AUTO_TEST_CASE(an_unknown_host_is_looked_up_again_later) {
    DaemonSettings settings;
    settings.log_statsd_host = "no-such-host.invalid";
    Statsd statsd{settings};
    statsd.count("lost");
    statsd.resolve();
    statsd.count("lost");

    const support::Listener listener;
    Statsd known{settings_for(listener)};
    known.resolve();
    known.count("found");
    BOOST_TEST(*listener.next() == "container-replicator.found:1|c");
}
