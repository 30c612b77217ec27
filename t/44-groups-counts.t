# SPDX-License-Identifier: BSD-2-Clause
# Proves that what is unread, and what of it mentions one, always equals a recount of the messages (contract, section 7):
# random people send, read, recall, delete, come, go and are removed, in groups with all kinds of history; one after the
# other, and then all at once.
use Tidings;
use JSON::PP ();

my $seed = $ENV{TIDINGS_SEED} // time;
srand $seed;
note "TIDINGS_SEED=$seed";
my $t = Tidings->start(workers => 2);
my @people = qw(alice bob carol dave);
$t->befriend(@people);
my @groups = map { $t->group('alice', [qw(bob carol)], settings => {history => $_, join => 'open'}) } qw(all joined);
# Unread for bob all the time.
$t->send_text('alice', 'bob', 'hi', mentions => ['bob']);

sub any { return $_[rand @_] }
sub in_group { my ($user, $id) = @_; return $t->dbh->selectrow_array('SELECT role FROM members WHERE user_id = ? AND conversation_id = ?', undef, $user, $id) }
sub last_of { my ($id) = @_; return scalar $t->dbh->selectrow_array('SELECT last_seq FROM group_heads WHERE id = ?', undef, $id) }
sub some_message { my ($id) = @_; return ($id << 28) + 1 + int rand last_of($id) }

# Each is something that may be refused, which changes nothing.
my @steps = (
	(sub { my ($http, $user, $id) = @_; return $http->post('/messages/send', text_in($id, 'x', mentions => rand() < 0.3 ? ['*'] : [grep { rand() < 0.3 } @people])) }) x 8,
	(sub { my ($http, $user, $id) = @_; return $http->put("/messages/conversations/$id/read", rand() < 0.3 ? {} : {up_to_seq => int rand(2 + last_of($id))}) }) x 4,
	(sub { my ($http, $user, $id) = @_; return $http->put('/messages/' . some_message($id) . '/recall') }) x 2,
	(sub { my ($http, $user, $id) = @_; return $http->delete('/messages/' . some_message($id)) }) x 3,
	sub { my ($http, $user, $id) = @_; return $http->delete("/groups/$id/members/$user") },
	sub { my ($http, $user, $id) = @_; return $http->delete("/groups/$id/members/" . any(grep { $_ ne $user } @people)) },
	(sub { my ($http, $user, $id) = @_; return $http->post("/groups/$id/join", {}) }) x 2,
	sub { my ($http, $user, $id) = @_; return $http->post("/groups/$id/members", {user_ids => [any(@people), any(@people)]}) },
	sub { my ($http, $user, $id) = @_; return $http->put("/groups/$id", {settings => {history => any(qw(all joined))}}) },
	sub { my ($http, $user, $id) = @_; return $http->put("/groups/$id/members/" . any(@people), {role => any(qw(admin member))}) },
	sub { my ($http, $user, $id) = @_; return $http->put("/groups/$id/owner", {user_id => any(@people)}) },
);

my %most = (unread => 0, mentions => 0);
# The texts of all that is not as the rows say.
sub faults {
	my @faults;
	for my $user (@people) {
		my $http = $t->api($user);
		my @total = @{$t->dbh->selectrow_arrayref('SELECT COALESCE(SUM(IF(user1_id = ?, user1_unread, user2_unread)), 0), 0 FROM conversations WHERE ? IN (user1_id, user2_id)', undef, $user, $user)};
		my %listed = map { $_->{id} => $_ } @{$http->get('/messages/conversations')->json->{items}};
		$total[1] = 1 if $user eq 'bob';
		my %synced = map { $_->{conversation}{id} => $_->{conversation} } @{$http->post('/messages/sync', {conversations => [map { {id => "$_", seq => 0, change_seq => 0} } @groups], since => undef})->json->{conversations}};
		for my $id (@groups) {
			my $r = $http->get("/groups/$id");
			if (!in_group($user, $id)) {
				push @faults, "$user sees $id" if $r->status != 404 || $listed{$id} || $synced{$id};
				next;
			}
			my $want = $t->group_recount($user, $id);
			$most{unread} = $want->[0] if $want->[0] > $most{unread};
			$most{mentions} = $want->[1] if $want->[1] > $most{mentions};
			for ($r->json, $listed{$id}, $synced{$id} // $r->json) {
				push @faults, "$user in $id: $_->{unread_count}, $_->{mention_count} are not @$want" if $_->{unread_count} != $want->[0] || $_->{mention_count} != $want->[1];
			}
			$total[$_] += $want->[$_] for 0, 1;
		}
		my $count = $http->get('/messages/unread-count')->json;
		push @faults, "all of $user: $count->{unread_count}, $count->{mention_count} are not @total" if $count->{unread_count} != $total[0] || $count->{mention_count} != $total[1];
	}
	return @faults, $t->recount_faults;
}

subtest 'one after the other' => sub {
	my %n;
	for my $round (1 .. 25) {
		for (1 .. 12) {
			my $user = any(@people);
			my $r = any(@steps)->($t->api($user), $user, any(@groups));
			$n{$r->status}++;
			die $r->body if $r->status == 400 || $r->status >= 500;
		}
		my @faults = faults();
		is_deeply \@faults, [], "round $round" or last;
	}
	note join ', ', map { "$_: $n{$_}" } sort keys %n;
	cmp_ok $n{201}, '>', 20, 'much was sent';
	cmp_ok $most{$_}, '>', 1, "there was something to count: $_" for sort keys %most;
};

subtest 'all at once' => sub {
	for my $round (1 .. 10) {
		my @http = map { my $user = $_; [$user, map { $t->http($user) } 1 .. 3] } @people;
		# The steps ask and wait; here they only ask.
		my @asked;
		for my $of (@http) {
			my ($user, @connections) = @$of;
			for my $http (@connections) {
				my $asker = bless {http => $http, asked => \@asked}, 'Asker';
				any(@steps)->($asker, $user, any(@groups));
			}
		}
		my @statuses = map { $_->response->status } @asked;
		is_deeply [grep { $_ == 400 || $_ >= 500 } @statuses], [], "round $round: nothing fails";
		$_->close for @asked;
		my @faults = faults();
		is_deeply \@faults, [], 'and the counts are right' or last;
	}
};

{
	package Asker;
	sub ask { my ($self, @request) = @_; $self->{http}->send_request(@request); push @{$self->{asked}}, $self->{http}; return }
	sub get { return $_[0]->ask('GET', $_[1]) }
	sub delete { return $_[0]->ask('DELETE', $_[1]) }
	sub put { return $_[0]->ask('PUT', $_[1], $_[2] ? (json => $_[2]) : ()) }
	sub post { return $_[0]->ask('POST', $_[1], json => $_[2]) }
}

$t->stop;
done_testing;
