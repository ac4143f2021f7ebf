#!/usr/bin/env bash
# Other ways in: FetchContent from a directory, a Meson wrap file with its archive; and that the
# recipes for vcpkg and Conan, which are not in Debian, can be read and know the version.
. "$(dirname "$0")/common.sh"

quiet cmake -S "$here/fetch_content" -B "$scratch/fetched" -G Ninja -DTREE="$root"
quiet cmake --build "$scratch/fetched"
expect_version "$scratch/fetched/consumer"

mkdir -p "$scratch/host/subprojects"
quiet "$root/packaging/wrap.py" "$scratch/host/subprojects/packagefiles"
quiet "$root/packaging/wrap.py" "$scratch/again"
diff -r "$scratch/again" "$scratch/host/subprojects/packagefiles" ||
    { echo "the same tree gives two different archives"; exit 1; }
mv "$scratch/host/subprojects/packagefiles/replica.wrap" "$scratch/host/subprojects"
cp "$here/main.cpp" "$here/meson/meson.build" "$scratch/host"
quiet meson setup "$scratch/wrapped" "$scratch/host" --wrap-mode=forcefallback
quiet meson compile -C "$scratch/wrapped"
expect_version "$scratch/wrapped/consumer"

python3 - "$root" "$want" <<'PYTHON'
import ast, json, pathlib, re, sys
root, want = pathlib.Path(sys.argv[1]), sys.argv[2]
port = json.loads((root / "packaging/vcpkg/replica/vcpkg.json").read_text())
assert port["version"] == want, f"vcpkg.json says {port['version']}, not {want}"
recipe = ast.parse((root / "packaging/conan/conanfile.py").read_text())
assert any(isinstance(part, ast.ClassDef) and part.name == "Replica" for part in recipe.body)
options = set(re.findall(r"REPLICA_[A-Z]+", (root / "CMakeLists.txt").read_text()))
for path in ("vcpkg/replica/portfile.cmake", "conan/conanfile.py"):
    unknown = set(re.findall(r"REPLICA_[A-Z]+", (root / "packaging" / path).read_text())) - options
    assert not unknown, f"{path} sets {unknown}, which no build knows"
print("vcpkg and Conan:", want)
PYTHON

# What the archive has, and what Conan's recipe takes, is enough to install from.
mkdir "$scratch/archive" "$scratch/exported"
tar -xf "$scratch"/again/*.tar.gz -C "$scratch/archive" --strip-components=1
python3 - "$root" "$scratch/exported" <<'PYTHON'
import ast, pathlib, re, shutil, sys
root, target = map(pathlib.Path, sys.argv[1:])
recipe = (root / "packaging/conan/conanfile.py").read_text()
for pattern in ast.literal_eval(re.search(r"for pattern in (\(.*?\)):", recipe)[1]):
    for path in root.glob(pattern.replace("*", "**/*")):
        if path.is_file():
            copy = target / path.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
PYTHON
for tree in "$root" "$scratch/archive" "$scratch/exported"; do
    quiet cmake -S "$tree" -B "$scratch/build" -G Ninja --fresh -DREPLICA_TESTS=OFF \
        -DREPLICA_EXAMPLES=OFF -DREPLICA_BENCH=OFF
    quiet cmake --install "$scratch/build" --prefix "$scratch/from$tree"
    diff -r "$scratch/from$root" "$scratch/from$tree" || { echo "$tree lacks a file"; exit 1; }
done

# The port is read by CMake as far as that goes without vcpkg's own functions.
cat >"$scratch/port.cmake" <<CMAKE
foreach(name vcpkg_cmake_configure vcpkg_cmake_install vcpkg_cmake_config_fixup vcpkg_install_copyright)
    function(\${name})
    endfunction()
endforeach()
set(CURRENT_PACKAGES_DIR "$scratch/none")
include("$root/packaging/vcpkg/replica/portfile.cmake")
if(NOT EXISTS "\${SOURCE_PATH}/include/replica/replica.hpp")
    message(FATAL_ERROR "the port looks for the tree in \${SOURCE_PATH}")
endif()
CMAKE
quiet cmake -P "$scratch/port.cmake"
