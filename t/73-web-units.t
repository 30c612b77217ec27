# SPDX-License-Identifier: BSD-2-Clause
# Proves the modules of the chat page that know nothing of a page, each alone in Node.js: where a text has links, how
# names are shown and refused, where letters may be cut, storages that are full. The tests are t/web/*.test.js.
use Tidings;
use Tidings::Script;
use Tidings::Util qw(spew);
use Tidings::Web;

my $dir = Tidings::dir();
my $top = Tidings::top();
my @node = Tidings::Script::node_command($dir);
plan skip_all => 'no Node.js from 18 on (NODE names another one)' if !@node;

my $modules = Tidings::Web::modules("$dir/modules");
spew("$modules/package.json", '{"type": "module"}');

for my $script (sort glob "$top/t/web/*.test.js") {
	subtest $script =~ s{.*/}{}r => sub {
		Tidings::Script::run_script(dir => $dir, actions => {}, env => {TIDINGS_WEB => "$modules/web", TIDINGS_ADMIN_PAGE => "$modules/admin"},
			command => [@node, '--test-reporter=tap', $script]);
	};
}
done_testing;
