# SPDX-License-Identifier: BSD-2-Clause
# Proves that no death loses a file: a media process that is killed is replaced and its jobs go to the next one, children
# that are killed cost their file a try, those that hang or take too much are killed. And the master's side: how the
# process is listed, watched, and replaced by reload and upgrade.
use Tidings;
use Tidings::Inspect qw(make_clip);
use Tidings::Util qw(spew run slurp);

my $dir = Tidings::dir();
# Reading it takes some time: a picture of many pixels that compress well.
my ($status) = run($dir, 'vips', 'black', "$dir/slow.png", 7000, 7000, '--bands', 3);
is $status, 0, 'a file that takes a while';
spew("$dir/quick.txt", "some words and no more\n");

# ---- without a server ----

sub busy { my ($i) = @_; return wait_for('a child at work', sub { my @c = $i->children; @c && $c[0] }) }

subtest 'deaths' => sub {
	my $i = Tidings::Inspect->new(children => 1);
	$i->say("$dir/slow.png");
	kill 'KILL', busy($i);
	is $i->next_answer->{status}, 'unavailable', 'a child killed from outside: its file can be given again';
	my ($r) = $i->look("$dir/slow.png");
	is $r->{status}, 'ok', 'which is then read by the same process';

	$i->say("$dir/slow.png", "$dir/quick.txt");
	my $child = busy($i);
	wait_for('it to run behind those who serve users', sub { getpriority(0, $child) == 10 });
	kill 'KILL', $i->{media};
	wait_for('the child to die with it', sub { !kill 0, $child });
	$i->restart;
	my %got = map { my $a = $i->next_answer; $a->{path} => $a->{status} } 1, 2;
	is_deeply \%got, {"$dir/slow.png" => 'ok', "$dir/quick.txt" => 'ok'}, 'a process that is killed: the next one looks at what it had, and at what waits';

	$i->say("$dir/slow.png");
	kill 'STOP', busy($i);
	my $began = now();
	$r = $i->next_answer;
	is "$r->{status}: $r->{reason}", 'refused: the file takes too much time to read', 'a child that hangs is killed';
	cmp_ok now() - $began, '<', 20, 'in time';

	$i->say("!cancel $dir/slow.png");
	is $i->next_answer->{cancelled}, JSON::PP::true, 'a file is taken back';
	wait_for('nobody to read it', sub { !$i->children });
	is(($i->look("$dir/quick.txt"))[0]{type}, 'text/plain', 'the process lives on');
	is $i->stop, 0, 'and leaves when told';
};

subtest 'a few at once' => sub {
	my $i = Tidings::Inspect->new(children => 2);
	my @files = map { my $f = "$dir/slow$_.png"; link "$dir/slow.png", $f; $f } 1 .. 20;
	my $most = 0;
	$i->say(@files);
	wait_for('two children', sub { my $n = () = $i->children; $most = $n if $n > $most; $most >= 2 });
	my @got = map { my $n = () = $i->children; $most = $n if $n > $most; $i->next_answer } @files;
	is $most, 2, 'no more than two at once';
	is scalar(grep { $_->{status} eq 'ok' } @got), 20, 'and all are read';
	is $i->stop, 0, 'it leaves when told';
};

# ---- with one ----

my $secret = spew("$dir/url.secret", 'a secret of the tests, over 32 bytes long');
mkdir "$dir/media" or die;
my $conf = {media => {directory => "$dir/media", url_secret_file => $secret}};

sub media_of { my ($node) = @_; return $node->ctl_ok('--json', 'workers')->{media} }
# The pid of the only one, which is not the one before.
sub ready { my ($node, $before) = @_; return wait_for('one media process that is ready', sub { my @m = @{media_of($node)}; @m == 1 && $m[0]{state} eq 'ready' && $m[0]{pid} != ($before // 0) && $m[0]{pid} }) }

subtest 'the master' => sub {
	my $t = Tidings->start(workers => 2, conf => $conf);
	my $node = $t->node;
	my $pid = ready($node);
	is_deeply [$node->media_pids], [$pid], 'the master has one';
	is +(grep { /\bNoNewPrivs|Seccomp/ } split /\n/, slurp("/proc/$pid/status")) > 0, 1, 'it can be looked at';
	my %open = map { (readlink "/proc/$pid/fd/$_") // '' => 1 } grep { /^\d+$/ } do { opendir my $d, "/proc/$pid/fd"; readdir $d };
	is_deeply [grep { !m{^(?:/dev/null|socket:.*|anon_inode:\[signalfd\]|pipe:.*|\Q$dir\E/.*log.*)\z} } keys %open], [], 'it has nothing open but its sockets and the log';
	my $environment = slurp("/proc/$pid/environ");
	unlike $environment, qr/HOME=|TIDINGS/, 'and nothing of the environment';
	my $text = $node->ctl_ok('workers');
	like $text, qr/^MEDIA +PID +STATE +JOBS.*\n0 +$pid +ready /m, 'workers lists it';
	my $status = $node->ctl_ok('--json', 'status');
	is_deeply [@$status{qw(media media_jobs media_restarts)}], ['ready', 0, 0], 'so does status';
	like $node->ctl_ok('top', '--once'), qr/^media +ready, 0 files, 0 restarts/m, 'and top' if ($node->ctl('top', '--once'))[0] == 0;
	my $metrics = sub { return $node->admin_http->get('/metrics')->body };
	like $metrics->(), qr/^tidings_media_up 1$/m, 'and the metrics';

	$node->allow_deaths(1);
	kill 'KILL', $pid;
	my $next = wait_for('another one', sub { my @m = grep { $_ != $pid } $node->media_pids; @m == 1 && $m[0] });
	is ready($node, $pid), $next, 'one that is killed is replaced';
	is $node->ctl_ok('--json', 'status')->{media_restarts}, 1, 'and counted';
	like $metrics->(), qr/^tidings_media_restarts_total 1$/m, 'in the metrics too';

	kill 'STOP', $next;
	$node->allow_deaths(1);
	$node->clock(20);
	wait_for('its end', sub { !grep { $_ == $next } $node->media_pids });
	like $node->log_text, qr/media 0, process $next, hangs/, 'one that hangs is killed';
	my $third = ready($node, $next);

	$node->reload;
	my $fourth = wait_for('another one', sub { my @m = $node->media_pids; @m == 1 && $m[0] != $third && $m[0] });
	is ready($node, $third), $fourth, 'a reload brings a new one, and the old one leaves';
	like $node->log_text, qr/media \d, process $third, left/, 'when it is told';

	kill 'USR1', $node->pid;
	$node->ctl_ok('status');
	kill 'USR2', $node->pid;
	$node->follow;
	my $fifth = wait_for('that of the new binary', sub { my @m = $node->media_pids; @m == 1 && $m[0] != $fourth && $m[0] });
	wait_for('the old one to leave', sub { !kill 0, $fourth });
	is ready($node, $fourth), $fifth, 'an upgrade brings its own';
	$t->stop;
	ok !kill(0, $fifth), 'it leaves with the server';
};

subtest 'another user' => sub {
	plan skip_all => 'only root can become another user' if $> != 0;
	my $t = Tidings->start(workers => 1, conf => {media => {%{$conf->{media}}, user => 'nobody'}});
	my $pid = ready($t->node);
	like slurp("/proc/$pid/status"), qr/^Uid:\s+@{[scalar getpwnam 'nobody']}\s/m, 'the media process is who media.user says';
	my ($worker) = $t->node->worker_pids;
	unlike slurp("/proc/$worker/status"), qr/^Uid:\s+@{[scalar getpwnam 'nobody']}\s/m, 'a worker is not';
	$t->stop;
};

subtest 'without storage' => sub {
	my $t = Tidings->start(workers => 1);
	my $node = $t->node;
	is_deeply [$node->media_pids], [], 'there is no media process';
	is $node->ctl_ok('--json', 'status')->{media}, 'off', 'and status says so';
	unlike $node->admin_http->get('/metrics')->body, qr/tidings_media_up/, 'nothing is measured';
	$t->stop;
};

subtest 'a master that dies' => sub {
	my $t = Tidings->start(workers => 1, conf => $conf);
	my $node = $t->node;
	my $pid = ready($node);
	$node->stop(signal => 'KILL', status => 9);
	wait_for('its media process to leave', sub { !kill 0, $pid });
	pass 'its media process leaves, too';
	$t->stop;
};

done_testing;
