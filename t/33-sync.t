# SPDX-License-Identifier: BSD-2-Clause
# Proves catching up: a client that was away and merges by seq and change_seq ends with what one sees that was never
# away, whatever the limits; and what POST /messages/sync refuses.
use Tidings;
use Tidings::Shape;
use List::Util qw(shuffle);

my $t = Tidings->start(workers => 2);

sub sync { my ($http, %o) = @_; return $http->post('/messages/sync', {conversations => [], since => undef, %o}) }

subtest 'shape, listed ones, cursor' => sub {
	$t->befriend(qw(alice bob carol));
	my ($alice, $bob) = map { $t->api($_) } qw(alice bob);
	my $r = sync($bob);
	is $r->status, 200, 'answers 200' or diag($r->body);
	is_shape $r->json, $SYNC, 'the shape';
	is_deeply [$r->json->{conversations}, $r->json->{more} ? 1 : 0], [[], 0], 'nothing yet; a first cursor';
	my $cursor = $r->json->{cursor};
	my @m = map { $t->send_text('alice', 'bob', "m$_") } 1 .. 10;
	my $id = $m[0]{conversation_id};
	is_deeply sync($bob)->json->{conversations}, [], 'since null adds none';
	$r = sync($bob, since => $cursor, limit => 4);
	my @c = @{$r->json->{conversations}};
	is_shape $r->json, $SYNC, 'the shape, filled';
	is_deeply [map { $_->{conversation}{id} } @c], [$id], 'not listed, active since: there';
	is_deeply [map { $_->{seq} } @{$c[0]{messages}}], [7 .. 10], 'its newest messages, oldest first';
	ok $c[0]{has_more}, 'with older ones before';
	$r = sync($bob, conversations => [{id => $id, seq => 3, change_seq => 0}], limit => 4);
	@c = @{$r->json->{conversations}};
	is_deeply [map { $_->{seq} } @{$c[0]{messages}}], [4 .. 7], 'listed: what is over its seq, oldest first';
	ok $c[0]{has_more}, 'cut';
	is_deeply $c[0]{messages}[0], $m[3], 'whole messages';
	is_deeply sync($bob, conversations => [{id => $id, seq => 10, change_seq => 0}])->json->{conversations}, [], 'listed and the same: left out';
	is_deeply sync($bob, conversations => [{id => $id, seq => 10, change_seq => 0}], since => $cursor)->json->{conversations}, [], 'and not added again for its activity';
	is_deeply sync($t->api('carol'), conversations => [{id => $id, seq => 0, change_seq => 0}])->json->{conversations}, [], 'a foreign one is left out';
	is_deeply sync($bob, conversations => [{id => '999999', seq => 0, change_seq => 0}])->json->{conversations}, [], 'and none';

	$alice->put("/messages/$m[9]{id}/recall");
	$bob->put("/messages/$m[0]{id}/read");
	$bob->delete("/messages/$m[1]{id}");
	$alice->delete("/messages/$m[2]{id}");
	my ($c) = @{sync($bob, conversations => [{id => $id, seq => 10, change_seq => 0}])->json->{conversations}};
	is_deeply [map { "$_->{kind} $_->{message_id}" } @{$c->{changes}}], ["recalled $m[9]{id}", "read $m[0]{id}", "deleted $m[1]{id}"], 'changes, in order; the other\'s deletions are not told';
	is_deeply $c->{messages}, [], 'no new messages';
	my @seqs = map { $_->{change_seq} } @{$c->{changes}};
	ok $seqs[0] < $seqs[1] && $seqs[1] < $seqs[2] && $seqs[2] <= $c->{conversation}{change_seq}, 'change_seq rises';
	($c) = @{sync($alice, conversations => [{id => $id, seq => 10, change_seq => 0}])->json->{conversations}};
	is_deeply [map { "$_->{kind} $_->{message_id}" } @{$c->{changes}}], ["recalled $m[9]{id}", "read $m[0]{id}", "deleted $m[2]{id}"], 'the same for the other side';
	($c) = @{sync($bob, conversations => [{id => $id, seq => 10, change_seq => $seqs[0]}], limit => 1)->json->{conversations}};
	is_deeply [map { $_->{kind} } @{$c->{changes}}], ['read'], 'over its change_seq, cut by limit';
	ok $c->{has_more}, 'has_more';
};

subtest 'a recall counts as activity' => sub {
	$t->befriend(qw(rita sam));
	my $m = $t->send_text('rita', 'sam', 'x');
	# Long ago, so that the cursor does not reach back to it.
	my $dbh = $t->dbh;
	$dbh->do('UPDATE messages SET created_at = created_at - INTERVAL 100 SECOND WHERE id = ?', undef, $m->{id});
	$dbh->do('UPDATE conversations SET sort_time = sort_time - INTERVAL 100 SECOND, last_message_time = last_message_time - INTERVAL 100 SECOND WHERE id = ?', undef, $m->{conversation_id});
	my $cursor = sync($t->api('sam'))->json->{cursor};
	is_deeply sync($t->api('sam'), since => $cursor)->json->{conversations}, [], 'no activity since';
	$t->api('rita')->put("/messages/$m->{id}/recall");
	my $r = sync($t->api('sam'), since => $cursor)->json;
	is_deeply [map { $_->{conversation}{id} } @{$r->{conversations}}], [$m->{conversation_id}], 'there after the recall';
	ok $r->{conversations}[0]{messages}[0]{is_recalled}, 'with the message as it is';
};

subtest 'refusals' => sub {
	my $http = $t->api('alice');
	my @bad = (
		['a list that is none', {conversations => {}}], ['an entry that is none', {conversations => [1]}], ['an id as a number', {conversations => [{id => 1, seq => 0, change_seq => 0}]}],
		['an id that is none', {conversations => [{id => 'x', seq => 0, change_seq => 0}]}], ['no seq', {conversations => [{id => '1', change_seq => 0}]}],
		['seq as text', {conversations => [{id => '1', seq => '0', change_seq => 0}]}], ['a negative seq', {conversations => [{id => '1', seq => -1, change_seq => 0}]}],
		['a bad change_seq', {conversations => [{id => '1', seq => 0, change_seq => 1.5}]}],
		['over 200', {conversations => [map { {id => "$_", seq => 0, change_seq => 0} } 1 .. 201]}],
		['a cursor that is none', {since => 'yesterday'}], ['a cursor that is a number', {since => 5}], ['an empty cursor', {since => ''}],
		['limit 0', {limit => 0}], ['limit 101', {limit => 101}], ['limit as text', {limit => '5'}],
	);
	for (@bad) {
		my $r = sync($http, %{$_->[1]});
		is $r->status . ' ' . $r->code, '400 invalid_argument', $_->[0] or diag($r->body);
	}
	is sync($http, conversations => [map { {id => "$_", seq => 0, change_seq => 0} } 1 .. 200])->status, 200, '200 are fine';
};

# A client that keeps a store of its own and learns only by sync.
package Follower {
	sub new { my ($class, $http, $limit) = @_; return bless {http => $http, limit => $limit, conv => {}, cursor => undef}, $class }

	sub take {
		my ($self, $item) = @_;
		my $c = $self->{conv}{$item->{conversation}{id}} //= {seq => 0, change_seq => 0, messages => {}};
		$c->{view} = $item->{conversation};
		for my $m (@{$item->{messages}}) {
			$c->{messages}{$m->{seq}} = $m;
			$c->{seq} = $m->{seq} if $m->{seq} > $c->{seq};
		}
		for my $change (@{$item->{changes}}) {
			my ($m) = grep { $_->{id} eq $change->{message_id} } values %{$c->{messages}};
			$c->{change_seq} = $change->{change_seq};
			next if !$m;
			@$m{qw(is_recalled recalled_at content media_url extra)} = (JSON::PP::true, $change->{at}) if $change->{kind} eq 'recalled';
			@$m{qw(is_read read_at)} = (JSON::PP::true, $change->{at}) if $change->{kind} eq 'read';
			delete $c->{messages}{$m->{seq}} if $change->{kind} eq 'deleted';
		}
		return;
	}

	# Until nothing more comes. A conversation met for the first time is scrolled back through history.
	sub catch_up {
		my ($self) = @_;
		for (1 .. 200) {
			my @have = map { {id => $_, seq => $self->{conv}{$_}{seq}, change_seq => $self->{conv}{$_}{change_seq}} } sort keys %{$self->{conv}};
			my $r = $self->{http}->post('/messages/sync', {conversations => \@have, since => $self->{cursor}, limit => $self->{limit}})->json;
			my $again = $r->{more};
			for my $item (@{$r->{conversations}}) {
				my $id = $item->{conversation}{id};
				my $is_new = !$self->{conv}{$id};
				$self->take($item);
				if ($is_new) {
					$self->{conv}{$id}{change_seq} = $item->{conversation}{change_seq};
					$self->scroll_back($id) if $item->{has_more};
				} else {
					$again ||= $item->{has_more};
					$self->{conv}{$id}{change_seq} = $item->{conversation}{change_seq} if !$item->{has_more};
				}
			}
			$self->{cursor} = $r->{cursor};
			return if !$again;
		}
		die "sync does not come to an end\n";
	}

	sub scroll_back {
		my ($self, $id) = @_;
		my $c = $self->{conv}{$id};
		my $more = 1;
		while ($more) {
			my ($oldest) = sort { $a <=> $b } keys %{$c->{messages}};
			my $r = $self->{http}->get("/messages/conversations/$id/messages?before=$oldest&limit=$self->{limit}")->json;
			$c->{messages}{$_->{seq}} = $_ for @{$r->{items}};
			$more = $r->{has_more};
		}
		return;
	}
}

subtest 'followers end with the truth' => sub {
	my $seed = $ENV{TIDINGS_SEED} // time;
	note("seed $seed");
	srand $seed;
	my @users = qw(ann ben cleo dan);
	$t->befriend(@users);
	my %follower = map { $_ => Follower->new($t->http($_), $_ eq 'ann' ? 1 : $_ eq 'ben' ? 3 : 50) } @users;
	$_->catch_up for values %follower;
	my @sent;
	for my $round (1 .. 6) {
		for (1 .. 40) {
			my $what = rand;
			my $m = @sent ? $sent[rand @sent] : undef;
			if ($what < 0.6 || !$m) {
				my ($from, $to) = shuffle @users;
				push @sent, $t->send_text($from, $to, "r$round");
			} elsif ($what < 0.75) {
				$t->api($m->{from_user_id})->put("/messages/$m->{id}/recall");
			} elsif ($what < 0.85) {
				$t->api($m->{to_user_id})->put("/messages/$m->{id}/read");
			} else {
				$t->api(rand() < 0.5 ? $m->{from_user_id} : $m->{to_user_id})->delete("/messages/$m->{id}");
			}
		}
		for my $user (@users) {
			next if $round < 6 && rand() < 0.4;
			my $f = $follower{$user};
			$f->catch_up;
			my (%mine, %true);
			for my $c (@{$t->api($user)->get('/messages/conversations?limit=100')->json->{items}}) {
				my @all;
				my $after = 0;
				while (1) {
					my $r = $t->api($user)->get("/messages/conversations/$c->{id}/messages?after=$after&limit=100")->json;
					push @all, @{$r->{items}};
					last if !$r->{has_more};
					$after = $all[-1]{seq};
				}
				$true{$c->{id}} = \@all;
			}
			%mine = map { my $m = $f->{conv}{$_}{messages}; $_ => [map { $m->{$_} } sort { $a <=> $b } keys %$m] } keys %{$f->{conv}};
			is_deeply \%mine, \%true, "round $round: $user has it all (seed $seed)";
		}
	}
};

$t->stop;
done_testing;
