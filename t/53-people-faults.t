# SPDX-License-Identifier: BSD-2-Clause
# Proves that changes of friends, accounts and notifications are done once or not at all when the database's connections
# are killed under them: who is told that it is done finds it, nobody is told that what they did themselves stands
# already, no notification is there twice, and webhooks would be told once of each account.
use Tidings;
use POSIX ();
use Tidings::Util qw(patience);

my $t = Tidings->start(workers => 2);
my $ROUNDS = 60;
my $setup = Tidings::stack()->dbh($t->{database});
$setup->do('INSERT INTO users (id) VALUES (?)', undef, "b$_") for 1 .. $ROUNDS;
# What the outbox has held of accounts.
$setup->do('CREATE TABLE accounts_told (items BLOB)');
$setup->do(q{CREATE TRIGGER account_told AFTER INSERT ON outbox FOR EACH ROW INSERT INTO accounts_told SELECT NEW.items FROM DUAL WHERE LEFT(NEW.items, 1) = 'a'});
$setup->disconnect;

# Kills the connections of the server's workers, one after the other, as fast as the database does it.
my $killer = fork // die "fork: $!\n";
if (!$killer) {
	$SIG{TERM} = sub { POSIX::_exit(0) };
	my $dbh = Tidings::stack()->dbh($t->{database});
	$dbh->{PrintError} = 0;
	while (1) {
		my $ids = $dbh->selectcol_arrayref('SELECT id FROM information_schema.processlist WHERE db = ? AND id <> CONNECTION_ID()', undef, $t->{database});
		for my $id (@$ids) {
			eval { $dbh->do(rand() < 0.5 ? "KILL CONNECTION $id" : "KILL QUERY $id") };
			select undef, undef, undef, 0.002;
		}
	}
}

my (%seen, @wrong, %notified, @registered);
sub note_status {
	my ($what, $r, @good) = @_;
	$seen{$what}{$r->status}++;
	push @wrong, "$what: " . $r->status . ' ' . $r->body if !grep { $_ == $r->status } @good, 503;
	return $r->status < 300;
}

# Until it is done or refused: after a 503 it may have been done, so that a repeat may find it so.
sub until_done {
	my ($what, $ask, $good, $stands) = @_;
	my $unsure = 0;
	my $done = eval {
		wait_for($what, sub {
			my $r = $ask->();
			return 1 if note_status($what, $r, $good, $unsure ? $stands : ()) || $r->status != 503;
			$unsure = 1;
			return 0;
		}, 3 * patience());
	};
	push @wrong, "$what: $@" if !$done;
	return $done;
}

my $moments = $t->http(undef, token => $t->token('moments', scope => 'notify'));
my $anyone = $t->http(undef);
for my $i (1 .. $ROUNDS) {
	my ($a, $b) = map { $t->http("$_$i") } qw(a b);
	until_done('request', sub { $a->post('/friends/requests', {user_id => "b$i"}) }, 201, 200);
	until_done('accept', sub { $b->put("/friends/requests/a$i/accept") }, 200, 200);
	until_done('block', sub { $a->put("/friends/b$i/block") }, 200, 200);
	until_done('profile', sub { $a->put('/users/me', {nickname => "A$i"}) }, 200, 200);
	my $r = $moments->post('/notifications', {user_id => 'n', kind => 'k', body => "$i"});
	$notified{$i} = $r->status if note_status('notify', $r, 201) || 1;
	if ($i % 10 == 0) {
		until_done('end', sub { $b->delete("/friends/a$i") }, 204, 404);
		push @registered, $i if until_done('register', sub { $anyone->post('/users/register', {user_id => "r$i", password => 'long enough'}) }, 201, 409);
	}
}
kill TERM => $killer;
waitpid $killer, 0;

cmp_ok scalar(() = $t->node->log_text =~ /database \(people\): connected/g), '>', 2 + $ROUNDS / 4, 'connections were lost, again and again';
is_deeply \@wrong, [], 'nothing but done, or 503';
diag(join '; ', map { my $w = $_; "$w: " . join ', ', map { "$seen{$w}{$_} x $_" } sort keys %{$seen{$w}} } sort keys %seen);
wait_for('the server to be well again', sub { $t->node->admin_http->get('/readyz')->status == 200 && $t->api('a1')->get('/friends')->status == 200 });

my $dbh = $t->dbh;
my @ended = grep { $_ % 10 == 0 } 1 .. $ROUNDS;
is_deeply $dbh->selectcol_arrayref("SELECT COUNT(*) FROM friendships WHERE user_id LIKE 'a%' AND blocked = 1"), [$ROUNDS - @ended], 'who was blocked is, and who ended it has';
is_deeply $dbh->selectcol_arrayref("SELECT COUNT(*) FROM blocks WHERE user_id LIKE 'a%'"), [$ROUNDS], 'and all blocks stay';
is_deeply $dbh->selectcol_arrayref('SELECT COUNT(*) FROM friendships'), [2 * ($ROUNDS - @ended)], 'a friendship is two rows';
is_deeply $dbh->selectall_arrayref('SELECT id, from_user_id, to_user_id, created_at FROM friend_requests'), [], 'no request is left';
is_deeply $dbh->selectcol_arrayref("SELECT COUNT(*) FROM users WHERE id LIKE 'a%' AND nickname IS NOT NULL"), [$ROUNDS], 'all profiles stand';
my %rows = map { $_->[0] => $_->[1] } @{$dbh->selectall_arrayref("SELECT body, COUNT(*) FROM notifications WHERE user_id = 'n' GROUP BY body")};
is_deeply [grep { ($rows{$_} // 0) != 1 } grep { $notified{$_} == 201 } 1 .. $ROUNDS], [], 'each notification that was acknowledged stands once';
is_deeply [grep { $_ > 1 } values %rows], [], 'and none twice';
# Kind, action, and the id as a text of up to 8 bytes.
my %accounts;
$accounts{join ' ', map { s{\0}{}gr } (unpack 'a Q> a A8', $_)[3, 1]}++ for @{$dbh->selectcol_arrayref('SELECT items FROM accounts_told')};
is_deeply \%accounts, {map { $_ => 1 } (map { "a$_ 1" } 1 .. $ROUNDS), map { "r$_ 1" } @registered}, 'each account is told once' or diag(explain(\%accounts));
is $anyone->post('/users/login', {user_id => "r$_", password => 'long enough'})->status, 200, "r$_ can log in" for @registered;

$t->stop;
done_testing;
