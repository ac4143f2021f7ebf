#include <replica/send/batch_size.hpp>

#define BOOST_TEST_MODULE batch_size
#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <limits>
#include <vector>

using namespace replica;

namespace {

constexpr Seconds at_once{0.01};
constexpr Seconds slowly{0.5};

std::vector<std::int64_t> sizes(BatchSize batch, const std::vector<Seconds>& answers) {
    std::vector<std::int64_t> sizes{batch.rows()};
    for (const Seconds time : answers) {
        batch.took(time);
        sizes.push_back(batch.rows());
    }
    return sizes;
}

using Sizes = std::vector<std::int64_t>;

} // namespace

BOOST_AUTO_TEST_CASE(a_batch_grows_tenfold_while_answers_come_quickly) {
    const std::vector<Seconds> quick(5, at_once);
    BOOST_TEST(sizes(BatchSize(1000, true), quick) == (Sizes{1000, 2000, 4000, 8000, 10000, 10000}),
               boost::test_tools::per_element());
    BOOST_TEST(sizes(BatchSize(3, true), quick) == (Sizes{3, 6, 12, 24, 30, 30}),
               boost::test_tools::per_element());
    BOOST_TEST(sizes(BatchSize(3000, true), quick) ==
                   (Sizes{3000, 6000, 10000, 10000, 10000, 10000}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_slow_answer_halves_it_and_one_between_leaves_it) {
    BOOST_TEST(sizes(BatchSize(1000, true),
                     {at_once, at_once, Seconds(0.2), slowly, slowly, slowly, at_once}) ==
                   (Sizes{1000, 2000, 4000, 4000, 2000, 1000, 1000, 2000}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_stock_server_always_gets_per_diff_and_so_does_who_has_more_than_all) {
    BOOST_TEST(sizes(BatchSize(1000, false), {at_once, at_once, slowly}) ==
                   (Sizes{1000, 1000, 1000, 1000}),
               boost::test_tools::per_element());
    for (const std::int64_t many : {std::int64_t{10'000}, std::int64_t{1'000'000},
                                    std::numeric_limits<std::int64_t>::max() / 2}) {
        BOOST_TEST(sizes(BatchSize(many, true), {at_once}) == (Sizes{many, many}),
                   boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_CASE(rows_that_are_too_large_halve_it_down_to_one_row_until_smaller_ones_come) {
    BatchSize batch(1000, true);
    batch.took(at_once);
    batch.took(at_once);
    batch.too_large(4000);
    BOOST_TEST(batch.rows() == 1000);
    batch.too_large(1000);
    BOOST_TEST(sizes(batch, {slowly, at_once, at_once, slowly}) ==
                   (Sizes{500, 500, 1000, 2000, 1000}),
               boost::test_tools::per_element());
    batch.too_large(3); // so few were left
    BOOST_TEST(batch.rows() == 1);
    batch.too_large(1);
    BOOST_TEST(batch.rows() == 1);
    BatchSize stock(1000, false);
    stock.too_large(1000);
    BOOST_TEST(sizes(stock, {at_once, at_once}) == (Sizes{500, 1000, 1000}),
               boost::test_tools::per_element());
}
