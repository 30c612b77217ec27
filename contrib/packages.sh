# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash disable=SC2034 # the lists are for those who source this
# The Debian packages that Tidings is built, run and tested with; sourced by contrib/check and contrib/quickstart.

build_packages="build-essential autoconf automake pkg-config libevent-dev libc-ares-dev libhiredis-dev default-libmysqlclient-dev
	libyajl-dev libjwt-dev libconfuse-dev libssl-dev libhttp-parser-dev uthash-dev libcrypt-dev libutf8proc-dev zlib1g-dev libcurl4-openssl-dev libvips-dev libmagic-dev libavformat-dev
	libavcodec-dev libswscale-dev libseccomp-dev perl unicode-data unicode-cldr-core esbuild"
run_packages="mariadb-server mariadb-client redis-server tzdata"
test_packages="perl openssl curl shellcheck chromium
	libdbi-perl libdbd-mariadb-perl libio-socket-ssl-perl libjson-validator-perl libprotocol-websocket-perl
	libyaml-libyaml-perl libyaml-pp-perl
	nodejs node-ws node-typescript
	ffmpeg libvips-tools
	haproxy logrotate mandoc nginx-light prometheus"
demo_packages="curl perl"
# Debian's is large, and any will do.
command -v npm >/dev/null || test_packages="$test_packages npm"

# Installs those of the named packages that are missing, and nothing where none is.
install_packages() {
	missing=
	for package in "$@"; do
		dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $package"
	done
	if [ -z "$missing" ]; then
		return 0
	fi
	echo "installing:$missing"
	as_root=
	if [ "$(id -u)" -ne 0 ]; then
		if ! command -v sudo >/dev/null; then
			echo "these packages are missing, and neither root nor sudo is there to install them" >&2
			return 1
		fi
		as_root=sudo
	fi
	# The servers are needed as programs only: their services are not to start, and none that runs is touched.
	held=
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		printf '#!/bin/sh\nexit 101\n' | $as_root tee /usr/sbin/policy-rc.d >/dev/null
		$as_root chmod 755 /usr/sbin/policy-rc.d
		held=/usr/sbin/policy-rc.d
	fi
	status=0
	# shellcheck disable=SC2086 # a list of words
	apt_install $missing || status=$?
	if [ -n "$held" ]; then
		$as_root rm -f "$held"
	fi
	return "$status"
}

# A second try follows with fresh package lists, for they may be empty or old.
apt_install() {
	for try in old fresh; do
		if [ "$try" = fresh ]; then
			$as_root apt-get update -q || return 1
		fi
		if $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"; then
			return 0
		fi
	done
	return 1
}

# playwright-core, with which the tests drive the browser, and s3rver, which they keep files in: in node_modules beside their
# package-lock.json, and in no other version than that says.
install_npm_packages() {
	for folder in t/browser t/s3; do
		installed=$folder/node_modules/.package-lock.json
		if [ ! -e "$installed" ] || [ "$installed" -ot "$folder/package-lock.json" ]; then
			(cd "$folder" && npm ci) || return 1
		fi
	done
}

# Makes configure where it is missing or older than what it is made from.
make_configure() {
	if [ ! -e configure ] || [ configure.ac -nt configure ] || [ ! -e Makefile.in ] || [ Makefile.am -nt Makefile.in ]; then
		echo "autoreconf -fi"
		autoreconf -fi
	fi
}
