# SPDX-License-Identifier: BSD-2-Clause
# The operator's page of contrib/admin for tests.
package Tidings::AdminPage;
use strict;
use warnings;
use Tidings;
use Tidings::Util qw(run);

# The document root as `make install` lays it out.
sub docroot {
	my $top = Tidings::top();
	my $root = Tidings::dir() . '/admin-page';
	my $shared = join ' ', map { "'$top/contrib/web/$_'" } qw(css/base.css js/dom.js js/language.js js/linkify.js js/storage.js js/text.js);
	my ($status, $out, $err) = run(Tidings::dir(), 'sh', '-c', "mkdir -p '$root/web' && cp -R '$top/contrib/admin/.' '$root' && cp $shared '$root/web'");
	die "the page cannot be laid out: $err\n" if $status;
	return $root;
}

1;
