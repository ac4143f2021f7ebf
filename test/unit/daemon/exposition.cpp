#include <replica/daemon/exposition.hpp>

#define BOOST_TEST_MODULE daemon_exposition
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>

using namespace replica::daemon;

namespace {

using Type = Exposition::Type;
using Form = Exposition::Form;

/// One family with one value.
std::string one(Form form, std::string_view name, Type type) {
    Exposition out(form);
    out.family(name, type, "Help.");
    out.value(7);
    return std::move(out).finish();
}

} // namespace

BOOST_AUTO_TEST_CASE(the_newer_format_has_units_and_an_end) {
    BOOST_TEST(one(Form::openmetrics, "x_seconds", Type::gauge) ==
               "# TYPE x_seconds gauge\n# UNIT x_seconds seconds\n# HELP x_seconds Help.\n"
               "x_seconds 7\n# EOF\n");
    BOOST_TEST(one(Form::openmetrics, "x_bytes", Type::counter) ==
               "# TYPE x_bytes counter\n# UNIT x_bytes bytes\n# HELP x_bytes Help.\n"
               "x_bytes_total 7\n# EOF\n");
    BOOST_TEST(one(Form::openmetrics, "build", Type::info) ==
               "# TYPE build info\n# HELP build Help.\nbuild_info 7\n# EOF\n");
    BOOST_TEST(one(Form::openmetrics, "milliseconds", Type::gauge).find("UNIT") ==
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_older_format_names_a_family_as_its_values) {
    BOOST_TEST(one(Form::text, "x", Type::counter) ==
               "# TYPE x_total counter\n# HELP x_total Help.\nx_total 7\n");
    BOOST_TEST(one(Form::text, "build", Type::info) ==
               "# TYPE build_info gauge\n# HELP build_info Help.\nbuild_info 7\n");
    BOOST_TEST(one(Form::text, "x_seconds", Type::gauge) ==
               "# TYPE x_seconds gauge\n# HELP x_seconds Help.\nx_seconds 7\n");
}

BOOST_AUTO_TEST_CASE(a_label_may_hold_any_text) {
    Exposition out(Form::text);
    out.family("x", Type::gauge, "Help.");
    out.value(-1, {{"a", "q\"b\\s\nn"}, {"b", ""}});
    const std::string text = std::move(out).finish();
    BOOST_TEST(text.ends_with("\nx{a=\"q\\\"b\\\\s\\nn\",b=\"\"} -1\n"), text);
}

BOOST_AUTO_TEST_CASE(numbers_are_written_in_full) {
    Exposition out(Form::text);
    out.family("x", Type::gauge, "Help.");
    out.value(std::uint64_t{18446744073709551615U});
    out.value(1700000000.25);
    out.value(0.1);
    const std::string text = std::move(out).finish();
    BOOST_TEST(text.ends_with("\nx 18446744073709551615\nx 1700000000.25\nx 0.1\n"), text);
}

BOOST_AUTO_TEST_CASE(a_duration_is_counted_in_the_first_bucket_that_holds_it) {
    Histogram measured;
    measured.observe(0);
    measured.observe(0.001);
    measured.observe(0.0011);
    measured.observe(60);
    measured.observe(61);
    BOOST_TEST(measured.counts()[0] == 2U);
    BOOST_TEST(measured.counts()[1] == 1U);
    BOOST_TEST(measured.counts()[Histogram::bounds.size() - 1] == 1U);
    BOOST_TEST(measured.counts()[Histogram::bounds.size()] == 1U);
    BOOST_TEST(std::accumulate(measured.counts().begin(), measured.counts().end(),
                               std::uint64_t{0}) == 5U);
    BOOST_TEST(measured.sum() == 121.0021, boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(buckets_are_written_added_up_and_the_last_has_all) {
    Histogram measured;
    measured.observe(0.5);
    measured.observe(1000);
    Exposition out(Form::openmetrics);
    out.family("x_seconds", Type::histogram, "Help.");
    out.histogram(measured, {{"verb", "sync"}});
    const std::string text = std::move(out).finish();
    for (const char* line :
         {"x_seconds_bucket{verb=\"sync\",le=\"0.001\"} 0\n",
          "x_seconds_bucket{verb=\"sync\",le=\"0.25\"} 0\n",
          "x_seconds_bucket{verb=\"sync\",le=\"0.5\"} 1\n",
          "x_seconds_bucket{verb=\"sync\",le=\"60.0\"} 1\n",
          "x_seconds_bucket{verb=\"sync\",le=\"+Inf\"} 2\n", "x_seconds_count{verb=\"sync\"} 2\n",
          "x_seconds_sum{verb=\"sync\"} 1000.5\n"}) {
        BOOST_TEST(text.find(line) != std::string::npos, line << text);
    }
    BOOST_TEST(std::ranges::count(text, '\n') == 3 + 16 + 2 + 1);
}

BOOST_AUTO_TEST_CASE(each_format_says_what_it_is) {
    BOOST_TEST(Exposition::content_type(Form::openmetrics)
                   .starts_with("application/openmetrics-text; version=1.0.0"));
    BOOST_TEST(Exposition::content_type(Form::text).starts_with("text/plain; version=0.0.4"));
}
