#!/bin/sh
# SPDX-License-Identifier: MIT
#
# build.sh - makes the Debian package of what `make install` has put into a folder. `make deb` calls it.
#
#     sh dist/debian/build.sh STAGE VERSION FOLDER
#
# STAGE becomes the package's content and is changed: what Debian wants elsewhere is moved, pages are compressed,
# symbols are taken out. Needs dpkg-dev and no rights. The same tree gives the same bytes.
set -eu
stage=$1
version=$2
folder=$3
here=$(dirname "$0")
top=$here/../..
arch=$(dpkg --print-architecture)
doc=$stage/usr/share/doc/moonwatch
: "${SOURCE_DATE_EPOCH:=$(git -C "$top" log -1 --format=%ct 2>/dev/null || stat -c %Y "$top/CHANGELOG.md")}"
export SOURCE_DATE_EPOCH

put() { install -D -m "$1" "$2" "$3"; }

place() {
	mkdir -p "$stage/usr/share/zsh/vendor-completions" "$stage/etc/moonwatch/rules.d"
	mv "$stage/usr/share/zsh/site-functions/_moonwatch" "$stage/usr/share/zsh/vendor-completions/"
	rmdir "$stage/usr/share/zsh/site-functions"
	put 644 "$top/CHANGELOG.md" "$doc/changelog"
	put 644 "$top/README.md" "$doc/README.md"
	for page in "$top"/doc/*.md; do put 644 "$page" "$doc/${page##*/}"; done
	for example in "$top"/examples/*; do put 644 "$example" "$doc/examples/${example##*/}"; done
	{
		echo 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/'
		echo 'Upstream-Name: moonwatch'
		echo
		echo 'Files: *'
		sed -n 's/^Copyright (c) /Copyright: /p' "$top/LICENSE"
		echo 'License: Expat'
		sed '1,/^Copyright/d; 1,/./{/^$/d}; s/^$/./; s/^/ /' "$top/LICENSE"
	} >"$doc/copyright"
}

shrink() {
	strip --strip-unneeded --remove-section=.comment "$stage/usr/bin/moonwatch"
	strip --strip-unneeded --remove-section=.comment "$stage"/usr/lib/*/lua/*/moonwatch/core.so
	strip --strip-debug --enable-deterministic-archives "$stage"/usr/lib/*/libmoonwatch.a
	gzip -9n "$doc/changelog" "$stage"/usr/share/man/man*/moonwatch*
}

# The libraries that the program needs, by the packages that are installed here. dpkg-shlibdeps insists on the file of a
# source package.
depends() {
	scratch=$folder/shlibs
	mkdir -p "$scratch/debian"
	printf 'Source: moonwatch\n\nPackage: moonwatch\nArchitecture: any\n' >"$scratch/debian/control"
	(cd "$scratch" && dpkg-shlibdeps --warnings=0 -O "$1" "$2") | sed -n 's/^shlibs:Depends=//p'
	rm -r "$scratch"
}

absolute() { (cd "$(dirname "$1")" && printf '%s/%s\n' "$PWD" "${1##*/}"); }

control() {
	mkdir -p "$stage/DEBIAN"
	needed=$(depends "$(absolute "$stage/usr/bin/moonwatch")" "$(absolute "$(ls "$stage"/usr/lib/*/lua/*/moonwatch/core.so)")")
	sed -e "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@DEPENDS@/$needed/" \
		-e "s/@SIZE@/$(du -sk --apparent-size --exclude=DEBIAN "$stage" | cut -f 1)/" \
		"$here/control.in" >"$stage/DEBIAN/control"
	for script in postinst prerm postrm; do put 755 "$here/$script" "$stage/DEBIAN/$script"; done
	(cd "$stage" && find usr -type f | LC_ALL=C sort | xargs md5sum) >"$stage/DEBIAN/md5sums"
}

umask 022
place
shrink
control
chmod -R u=rwX,go=rX "$stage"
dpkg-deb --root-owner-group -Zxz --build "$stage" "$folder/moonwatch_$version-1_$arch.deb" >/dev/null
echo "$folder/moonwatch_$version-1_$arch.deb"
