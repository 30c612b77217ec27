# SPDX-License-Identifier: BSD-2-Clause
# Proves that the browser of the tests tells what they rely on: what goes wrong in a page, what has no name, and all that
# is exchanged with the server; and that no process of it is left behind, whichever is killed.
use Tidings;
use Tidings::Web;
use Tidings::Util qw(children_of reap slurp spawn spew);

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
my $web = Tidings::Web->start(conf => {session => {policy => 'single'}});
my $t = $web->t;

subtest 'what goes wrong in a page' => sub {
	spew($web->root . '/wrong.js', q{
		console.error('told', 'to the console');
		document.querySelector('button').addEventListener('click', () => { throw new RangeError('thrown'); });
		fetch('/nowhere');
	});
	spew($web->root . '/wrong.html', '<!doctype html><title>x</title><img src="icon.svg"><button></button><button>named</button><script>1</script><script src="wrong.js"></script>');
	my $page = $web->browser->page($web->address . '/wrong.html');
	$page->click('button');
	my @faults;
	wait_for('four faults', sub { push @faults, $page->take_faults; @faults >= 4 });
	for my $fault (qr/told to the console/, qr/RangeError: thrown/, qr/Content Security Policy.*wrong\.html/s, qr{status of 404.*/nowhere}) {
		is scalar(grep { /$fault/ } @faults), 1, "once: $fault" or diag explain \@faults;
	}
	is_deeply [sort map { "@$_" } $page->accessible], ['button ', 'button named', 'image '], 'what has no name';
};

subtest 'what goes over the wire' => sub {
	$t->befriend(qw(ann ben));
	my $ann = $web->enter('ann');
	$ann->click('#tab-friends')->click('[data-user=ben] a')->say_text('seen?')->wait_value(q{document.querySelector('.ticks.sent')});
	my $other = $web->enter('ann');
	$ann->wait_text('.banner', 'used elsewhere');
	$other->value('new Promise((r) => { new WebSocket(`ws://${location.host}/messages/ws?access_token=x`).onclose = r; }).then(() => 0)');
	$web->browser->ask('settle');
	my $witness = $web->browser->witness;
	cmp_ok $witness->count('exchanges'), '>=', 10, 'requests and their answers';
	cmp_ok $witness->count('sent'), '>=', 1, 'frames to the server';
	cmp_ok $witness->count('received'), '>=', 3, 'and from it';
	is $witness->count('closed'), 1, 'and that it closed one';
	cmp_ok $witness->count('opened'), '>=', 2, 'handshakes';
	is $witness->count('refused'), 1, 'and one that was refused';
	my @told;
	no warnings 'redefine';
	local *Tidings::Spec::report = sub { my ($what, undef, @faults) = @_; push @told, $what if @faults };
	my %problem = (status => 404, headers => {'content-type' => 'application/problem+json'}, body => '{"status":404}');
	$witness->take({method => 'GET', path => '/friends', headers => {}, body => '', answer => \%problem});
	$witness->take({socket => 'x', sent => '{"type":"applause"}'});
	$witness->take({socket => 'x', received => '{"type":"applause"}'});
	$witness->take({closed => 4999});
	is_deeply \@told, ['GET /friends: 404', 'the frame', 'the event applause', 'close code 4999'], 'a fault in any of it is noticed';
};

# Every process below that one.
sub below { my ($pid) = @_; return map { ($_, below($_)) } children_of($pid) }
sub lives { return slurp("/proc/$_[0]/stat") =~ /\) [^Z]/ }

for my $victim ('the test', 'the driver', 'Chromium') {
	subtest "$victim is killed" => sub {
		my $log = Tidings::dir() . '/killed.log';
		unlink $log;
		my $test = spawn(log => $log, cmd => [$^X, '-I', Tidings::top() . '/t/lib', '-MTidings::Browser', '-e',
			'$| = 1; my $page = Tidings::Browser->start(@ARGV)->page("about:blank"); print "up\n"; $page->wait_text("h1", "never")', Tidings::dir()]);
		wait_for('its page', sub { slurp($log) =~ /^up$/m });
		my ($driver) = children_of($test);
		my ($chromium) = children_of($driver);
		my @all = below($test);
		cmp_ok scalar @all, '>=', 4, 'there were processes';
		kill 'KILL', {'the test' => $test, 'the driver' => $driver, Chromium => $chromium}->{$victim};
		wait_for('the end of all', sub { !grep { lives($_) } $test, @all });
		pass 'nothing is left';
		reap($test);
	};
}

$web->stop;
done_testing;
