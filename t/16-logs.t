# SPDX-License-Identifier: BSD-2-Clause
# Proves that the event log loses no line while it is rotated, that workers that may not open it write to the new file
# too, and that a full disk stops nothing.
use Tidings;
use Tidings::Util qw(slurp);

my $dir = Tidings::dir();

subtest 'rotation while logging' => sub {
	my $t = Tidings->start(workers => 2, conf => {log => {level => 'debug', target => "$dir/events"}});
	my @files = "$dir/events";
	my $ends = 0;
	for my $round (1 .. 5) {
		for my $n (1 .. 6) {
			$t->ws("user-$round-$n")->close->close_code;
			$ends++;
			next if $n != 3;
			# Its line is written between the renaming and the signal, or after it.
			rename "$dir/events", "$dir/events.$round" or die "rename: $!";
			push @files, "$dir/events.$round";
			$t->ws("user-$round-between")->close->close_code;
			$ends++;
			kill 'USR1', $t->node->pid;
			wait_for('the new file', sub { -e "$dir/events" });
		}
	}
	my $lines = sub { join '', map { slurp($_) } @files };
	wait_for('the last line', sub { (() = $lines->() =~ / of user-\S+ closed with /g) >= $ends });
	my (%times, $text);
	$text = $lines->();
	$times{$1}++ while $text =~ /debug worker \d+: session [\w-]+ of (user-\S+) closed with /g;
	is scalar(keys %times), $ends, 'no line is lost';
	is_deeply [grep { $times{$_} != 1 } keys %times], [], 'nor doubled';
	is_deeply [grep { !/^\d{4}-\d\d-\d\dT\S+Z (?:debug|info|warn|error) (?:master|(?:worker|writer|relay) \d+): / } split /\n/, $text], [], 'and each is whole';
	my $before = -s "$dir/events.5";
	$t->ws('user-last')->close->close_code;
	wait_for('a line in the new file', sub { slurp("$dir/events") =~ /user-last/ });
	is -s "$dir/events.5", $before, 'the old file is let go of';
	$t->stop;
};

subtest 'workers that may not open it' => sub {
	plan skip_all => 'only root can become another user' if $> != 0;
	mkdir "$dir/private", 0700 or die "mkdir: $!";
	my $t = Tidings->start(workers => 1, start => 0, conf => {user => 'nobody', log => {level => 'debug', target => "$dir/private/events", access => "$dir/private/access"}});
	# As that user it reaches no database of the test's: alive is enough.
	$t->node->start(ready => 0);
	my $h = wait_for('a worker', sub { my $h = $t->http('alice'); $h->get('/healthz') && $h });
	ok wait_for('a line', sub { slurp("$dir/private/access") =~ m{ GET /healthz } }), 'write an access log where only root may';
	rename "$dir/private/$_", "$dir/private/$_.1" for qw(events access);
	kill 'USR1', $t->node->pid;
	wait_for('the new files', sub { -e "$dir/private/events" && -e "$dir/private/access" });
	# The worker is told of them a moment later; until then it writes to the old ones.
	ok wait_for('a line', sub { $h->get('/readyz'); slurp("$dir/private/access") =~ m{ GET /readyz } }), 'and the next one';
	$h->close;
	ok wait_for('a line of a worker', sub { $t->ws('alice')->close->close_code; slurp("$dir/private/events") =~ /worker 0: session/ }), 'write to the new file';
	unlike slurp("$dir/private/events.1") . slurp("$dir/private/events"), qr/cannot reopen/, 'without a word';
	$t->stop;
};

subtest 'a full disk' => sub {
	plan skip_all => 'no /dev/full' if !-w '/dev/full';
	my $t = Tidings->start(workers => 2, conf => {log => {level => 'debug', target => '/dev/full'}});
	$t->befriend(qw(alice bob));
	my $ws = $t->ws('bob');
	$t->send_text('alice', 'bob', "message $_") for 1 .. 50;
	$ws->expect('message', sub { $_[0]{message}{content} eq 'message 50' });
	pass 'messages go their way';
	kill 'USR1', $t->node->pid;
	$t->node->ctl_ok('reload');
	is wait_for('an answer', sub { $t->http('alice')->get('/messages/unread-count')->status }), 200, 'through a rotation and a reload';
	$t->stop;
};

done_testing;
