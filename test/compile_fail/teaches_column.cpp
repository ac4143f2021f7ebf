// teaches: Column, stars, float, static assertion, a column of a record holds
#include <replica/record/kind.hpp>

#include <boost/hana/define_struct.hpp>

struct Note {
#ifdef FIXED
    BOOST_HANA_DEFINE_STRUCT(Note, (std::string, id), (double, stars));
#else
    BOOST_HANA_DEFINE_STRUCT(Note, (std::string, id), (float, stars));
#endif
};

replica::RecordKind<Note> kind;

int main() {}
