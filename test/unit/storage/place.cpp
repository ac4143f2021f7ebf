#include <replica/storage/place.hpp>

#define BOOST_TEST_MODULE storage_place
#include <boost/test/unit_test.hpp>

#include <string>

using namespace replica;

namespace {

const std::string hash(29, 'a');
const std::string whole = hash + "bcd";
const std::string directory = "/srv/node/sda/containers/17/bcd/" + whole;

} // namespace

BOOST_AUTO_TEST_CASE(a_place_knows_its_paths) {
    const Place place = Place::on("/srv/node/sda", "containers", 17, whole, whole + ".db");
    BOOST_TEST(place.directory == directory);
    BOOST_TEST(place.path() == directory + '/' + whole + ".db");
    BOOST_TEST(place.tmp() == "/srv/node/sda/tmp");
    BOOST_TEST(place.device_name() == "sda");
    BOOST_TEST(place.partition == 17U);
}

BOOST_AUTO_TEST_CASE(a_place_is_found_by_its_path) {
    for (const std::string& file : {whole + ".db", whole + "_1700000000.00000.db"}) {
        const Place place = Place::of(directory + '/' + file, "containers");
        BOOST_TEST(place.device == "/srv/node/sda");
        BOOST_TEST(place.directory == directory);
        BOOST_TEST(place.file == file);
        BOOST_TEST(place.hash == whole);
        BOOST_TEST(place.partition == 17U);
    }
}

BOOST_AUTO_TEST_CASE(a_path_of_another_form_is_no_place) {
    const std::string name = whole + ".db";
    for (const std::string& path :
         {std::string(), std::string("/"), name, "/" + name, directory, directory + '/',
          directory + "/" + name + ".pending", "/containers/17/bcd/" + whole + '/' + name,
          "sda/containers/17/bcd/" + whole + '/' + name,
          "/srv/node/sda/accounts/17/bcd/" + whole + '/' + name,
          "/srv/node/sda/containers/x/bcd/" + whole + '/' + name,
          "/srv/node/sda/containers/-1/bcd/" + whole + '/' + name,
          "/srv/node/sda/containers/17/bcd/none/" + name}) {
        BOOST_CHECK_EXCEPTION((void)Place::of(path, "containers"), Failure,
                              [&](const Failure& failure) {
                                  return failure.error() == Error::bad_name &&
                                         std::string(failure.what()).starts_with(path);
                              });
    }
}
