#include <replica/words/cells.hpp>

#define BOOST_TEST_MODULE words_cells
#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace replica;

namespace {

std::vector<Sketch::Cell> read_back(const std::string& list, std::size_t first = 0,
                                    std::size_t most = 10) {
    return json::read_cells(json::parse(list).as_array(), first, most);
}

} // namespace

BOOST_AUTO_TEST_CASE(cells_come_back_as_they_were) {
    const std::vector<Sketch::Cell> cells{
        {0, 0, 0},
        {std::numeric_limits<std::uint64_t>::max(), std::numeric_limits<std::uint32_t>::max(), -1},
        {1, 2, std::numeric_limits<std::int32_t>::min()}};
    std::string text = "[";
    json::append_next(text, std::uint64_t{5});
    for (const Sketch::Cell& cell : cells) {
        json::append_next(text, cell);
    }
    text += ']';
    BOOST_TEST(text == "[5, 0, 0, 0, -1, 4294967295, -1, 1, 2, -2147483648]");
    BOOST_TEST((read_back(text, 1) == cells));
}

BOOST_AUTO_TEST_CASE(an_empty_list_has_no_cells) {
    BOOST_TEST(read_back("[]").empty());
    BOOST_TEST(read_back("[1, 2]", 2).empty());
}

BOOST_AUTO_TEST_CASE(a_list_that_is_cut_off_or_too_long_is_refused) {
    for (const char* const list : {"[1]", "[1, 2]", "[1, 2, 3, 4]", "[1, 2, 3, 4, 5, 6, 7, 8, 9]",
                                   "[1, 2, \"3\"]", "[1, 2, 3.5]", "[1, 2, []]"}) {
        BOOST_CHECK_THROW((void)read_back(list, 0, 2), Failure);
    }
    BOOST_CHECK_THROW((void)read_back("[1]", 2), Failure);
    BOOST_TEST(read_back("[1, 2, 3, 4, 5, 6]", 0, 2).size() == 2U);
}

// Somebody else may have written them.
BOOST_AUTO_TEST_CASE(numbers_that_are_too_large_for_a_cell_are_cut) {
    const auto cells = read_back("[1, 4294967297, 4294967298]");
    BOOST_TEST(cells[0].check == 1U);
    BOOST_TEST(cells[0].count == 2);
    BOOST_CHECK_THROW((void)read_back("[1e30, 0, 0]"), Failure);
}
