# SPDX-License-Identifier: BSD-2-Clause
# Proves the modules of the chat page that know nothing of a page, each alone in Node.js: where a text has links, how
# names are shown and refused, where letters may be cut, storages that are full. The tests are t/web/*.test.js.
use Tidings;
use Tidings::AdminPage;
use Tidings::Script;
use Tidings::Util qw(spew);
use Tidings::Web;

my $dir = Tidings::dir();
my $top = Tidings::top();
my @node = Tidings::Script::node_command($dir);
plan skip_all => 'no Node.js from 18 on (NODE names another one)' if !@node;

# In a folder of modules, as a server's are.
my $root = Tidings::Web::docroot();
my $admin_root = Tidings::AdminPage::docroot();
spew("$_/package.json", '{"type": "module"}') for $root, $admin_root;

for my $script (sort glob "$top/t/web/*.test.js") {
	subtest $script =~ s{.*/}{}r => sub {
		Tidings::Script::run_script(dir => $dir, actions => {}, env => {TIDINGS_WEB => $root, TIDINGS_ADMIN_PAGE => $admin_root},
			command => [@node, '--test-reporter=tap', $script]);
	};
}
done_testing;
