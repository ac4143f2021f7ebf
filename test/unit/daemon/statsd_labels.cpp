#include <replica/daemon/statsd_labels.hpp>

#define BOOST_TEST_MODULE daemon_statsd_labels
#include <boost/test/unit_test.hpp>

#include <string>

using namespace replica::daemon;

namespace {

const Labels two{{"device", "sdb1"}, {"user_rack", "7"}};

} // namespace

BOOST_AUTO_TEST_CASE(each_collector_reads_labels_in_a_form_of_its_own) {
    BOOST_TEST(labelled_line(LabelForm::librato, "removes", "1|c", two) ==
               "removes#device=sdb1,user_rack=7:1|c");
    BOOST_TEST(labelled_line(LabelForm::influxdb, "removes", "1|c", two) ==
               "removes,device=sdb1,user_rack=7:1|c");
    BOOST_TEST(labelled_line(LabelForm::dogstatsd, "removes", "1|c", two) ==
               "removes:1|c|#device:sdb1,user_rack:7");
    BOOST_TEST(labelled_line(LabelForm::graphite, "removes", "1|c", two) ==
               "removes;device=sdb1;user_rack=7:1|c");
}

BOOST_AUTO_TEST_CASE(the_sample_rate_stands_before_the_labels_of_dogstatsd) {
    BOOST_TEST(labelled_line(LabelForm::dogstatsd, "timing", "2.5|ms|@0.5", two) ==
               "timing:2.5|ms|@0.5|#device:sdb1,user_rack:7");
    BOOST_TEST(labelled_line(LabelForm::graphite, "timing", "2.5|ms|@0.5", two) ==
               "timing;device=sdb1;user_rack=7:2.5|ms|@0.5");
}

BOOST_AUTO_TEST_CASE(a_metric_without_labels_is_a_plain_line_in_every_form) {
    for (const auto form :
         {LabelForm::librato, LabelForm::influxdb, LabelForm::dogstatsd, LabelForm::graphite}) {
        BOOST_TEST(labelled_line(form, "attempts", "1|c", {}) == "attempts:1|c");
    }
}

BOOST_AUTO_TEST_CASE(a_value_does_not_end_its_label_early) {
    const Labels evil{{"device", "a,b:c;d|e#f=g@h i\nj\x7f"}};
    for (const auto form : {LabelForm::librato, LabelForm::influxdb, LabelForm::graphite}) {
        BOOST_TEST(labelled_line(form, "x", "1|c", evil).find("device=a_b_c_d_e_f_g_h_i_j_:1|c") !=
                   std::string::npos);
    }
    BOOST_TEST(labelled_line(LabelForm::dogstatsd, "x", "1|c", evil) ==
               "x:1|c|#device:a_b_c_d_e_f_g_h_i_j_");
    BOOST_TEST(labelled_line(LabelForm::graphite, "x", "1|c", {{"device", "d-1.\xc3\xa4"}}) ==
               "x;device=d-1.\xc3\xa4:1|c");
}

BOOST_AUTO_TEST_CASE(the_word_of_a_form_is_read_as_swift_reads_it) {
    BOOST_TEST((label_form("librato") == LabelForm::librato));
    BOOST_TEST((label_form("InfluxDB") == LabelForm::influxdb));
    BOOST_TEST((label_form("DOGSTATSD") == LabelForm::dogstatsd));
    BOOST_TEST((label_form("graphite") == LabelForm::graphite));
    for (const auto* const word : {"disabled", "", "graphit", "graphites", "statsd"}) {
        BOOST_TEST(!label_form(word).has_value(), word);
    }
}

BOOST_AUTO_TEST_CASE(a_metric_of_one_text_has_that_name_and_no_labels) {
    const Metric metric = "attempts";
    BOOST_TEST(metric.plain == "attempts");
    BOOST_TEST(metric.name == "attempts");
    BOOST_TEST(metric.labels.empty());
}
