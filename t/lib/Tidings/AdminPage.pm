# SPDX-License-Identifier: BSD-2-Clause
# The operator's page of contrib/admin for tests.
package Tidings::AdminPage;
use strict;
use warnings;
use Tidings;
use Tidings::Util qw(run);

# The document root as `make install` lays it out.
sub docroot {
	my $root = Tidings::dir() . '/admin-page';
	my ($status, $out, $err) = run(Tidings::dir(), 'cp', '-R', Tidings::Server::build_dir() . '/pages/admin', $root);
	die "the page cannot be laid out: $err\n" if $status;
	return $root;
}

1;
