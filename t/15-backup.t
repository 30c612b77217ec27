# SPDX-License-Identifier: BSD-2-Clause
# Proves that a dump taken while people write, as doc/operations.md does it, is one consistent state with everything that
# was acknowledged before it, and that a server starts on it.
use Tidings;
use Tidings::Crowd;
use Tidings::Util qw(run slurp spawn reap);

my ($dump) = grep { my $p = $_; grep { -x "$_/$p" } split /:/, $ENV{PATH} } qw(mariadb-dump mysqldump);
plan skip_all => 'mariadb-dump is not installed' if !$dump;

my $dir = Tidings::dir();
my $t = Tidings->start(workers => 2);
my @login = ('--no-defaults', '--socket=' . $t->{stack}->mariadb_socket, '--user=root', '--default-character-set=utf8mb4');
my ($line) = slurp(Tidings::top() . '/doc/operations.md') =~ /^mariadb-dump (.*) tidings \|/m;
ok $line, 'doc/operations.md has the command';

$t->befriend(qw(alice bob));
my $old = $t->send_text('alice', 'bob', "an emoji \x{1F600} and a \\ and a '");
my $crowd = Tidings::Crowd->new($t, 4);
my ($pid, $before, $status);
$crowd->run(sub { defined $status && $_[0]->acked_count > 600 }, sub {
	if (!$pid && $_[0]->acked_count > 200) {
		$before = {map { $_ => 1 } map { map { $_->[0] } @$_ } values %{$_[0]{acked}}};
		$pid = spawn(log => "$dir/dump.sql", cmd => [$dump, @login, (grep { !/character-set/ } split / /, $line), $t->{database}]);
	}
	$status //= reap($pid) if $pid;
});
is $status, 0, 'a dump while messages are sent';
cmp_ok scalar(keys %$before), '>', 200, 'after some of them';

my $copy = $t->{stack}->fresh_database;
$t->{stack}->dbh(undef)->do("CREATE DATABASE $copy CHARACTER SET utf8mb4");
my $err;
($status, undef, $err) = run($dir, {input => slurp("$dir/dump.sql")}, 'mariadb', @login, $copy);
is $status, 0, 'is loaded into an empty database' or diag($err);

my $whole = $t->{database};
delete $t->{dbh};
$t->{database} = $copy;
is_deeply [$t->recount_faults], [], 'it is consistent in itself';
my %stands = map { $_->[0] => 1 } @{$t->dbh->selectall_arrayref('SELECT id FROM messages')};
is_deeply [grep { !$stands{$_} } keys %$before], [], 'and has all that was acknowledged before';

my $node = $t->node;
$node->stop;
$node->configure({%{$node->{conf}}, mysql => {%{$node->{conf}{mysql}}, database => $copy}});
$node->ctl_ok('migrate');
$node->start;
is_deeply $t->http('alice')->get("/messages/conversations/$old->{conversation_id}/messages")->json->{items}, [$old], 'a server reads it, byte for byte';
is $t->send_text('alice', 'bob', 'after the restore')->{seq}, 2, 'and goes on from there';

$t->stop;
done_testing;
