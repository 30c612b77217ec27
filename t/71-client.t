# SPDX-License-Identifier: BSD-2-Clause
# Proves what contrib/client promises, against a real server: every message once and in order, nothing unsent lost,
# whatever happens to the server, the connection or the token. The tests themselves are contrib/client/test/*.test.js.
use Tidings;
use Tidings::Script;

my $stack = Tidings::stack();
my @node = Tidings::Script::node_command(Tidings::dir());
plan skip_all => 'no Node.js from 18 on with a WebSocket (NODE names another one; node-ws brings it)' if !@node;

my $directory = Tidings::dir() . '/media';
mkdir $directory or die "$directory: $!\n";

my $t;
my %actions = (
	befriend => sub { $t->befriend(@_); 1 },
	unfriend => sub { $t->unfriend(@_); 1 },
	# seconds: until it expires
	token => sub { my ($user, $seconds, %claims) = @_; $t->token($user, exp => time + ($seconds // 86400), %claims) },
	start => sub { $t->node->start; 1 },
	stop => sub { $t->node->stop; 1 },
	kill => sub { $t->node->stop(signal => 'KILL', status => 9); 1 },
	drain => sub { kill 'TERM', $t->node->pid },
	drained => sub { $t->node->stop(signal => 0); 1 },
	stickers => sub { $t->node->ctl_ok('stickers', 'import', Tidings::top() . '/contrib/stickers/tide'); 1 },
	kick => sub { $t->node->ctl_ok('kick', $_[0]); 1 },
	clock => sub { $t->node->clock($_[0]); 1 },
	kill_worker => sub {
		my @pids = $t->node->worker_pids;
		return 0 if @pids < $t->{conf}{workers};
		$t->node->allow_deaths(1);
		return kill 'KILL', $pids[rand @pids];
	},
	redis_stop => sub { $stack->redis_stop('KILL'); 1 },
	redis_start => sub { $stack->redis_start; 1 },
);

# TIDINGS_SCRIPTS: only these.
for my $name (split ' ', $ENV{TIDINGS_SCRIPTS} // 'parts pulse comings types login logins talk edits settings devices stickers media delivered expiry search groups trouble soak package') {
	subtest $name => sub {
		$t = Tidings->start(workers => 2, conf => {session => {policy => 'device'}, drain_timeout => 2,
			limits => {logins_per_minute => 1000}, media => {directory => $directory, max_size => 4_000_000, quota_per_user => 10_000_000}});
		my $witness = Tidings::Script::run_script(dir => Tidings::dir(), actions => \%actions,
			env => {TIDINGS_URL => 'http://' . $t->node->address},
			command => [@node, '--test-reporter=tap', Tidings::top() . "/contrib/client/test/$name.test.js"]);
		note(join ', ', map { "$_: " . $witness->count($_) } qw(exchanges opened refused sent received closed));
		if ($name =~ /^(logins|talk|edits|delivered|expiry|groups|trouble|soak)$/) {
			cmp_ok $witness->count($_), '>=', 4, "$_ were held against the documents" for qw(exchanges opened sent received);
		}
		$t->stop;
	};
}

done_testing;
