# SPDX-License-Identifier: BSD-2-Clause
# Proves that a database of version 3, full of conversations that were read, recalled and deleted in, is converted in place:
# every list, history and count is what its rows said before, and what is done next goes on from there.
use Tidings;
use Tidings::Util qw(slurp);

srand(my $seed = $ENV{TIDINGS_SEED} // time);
diag "TIDINGS_SEED=$seed";
my $t = Tidings->start(workers => 1, migrate => 0, start => 0);
$t->stack->dbh('mysql')->do("CREATE DATABASE $t->{database} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
my $dbh = $t->dbh;
my @people = qw(ann bob cid dee);

# ---- version 3 ----

for my $file (glob Tidings::top() . '/schema/000[123]_*.sql') {
	$dbh->do($_) for grep { /\S/ } split /;\n/, slurp($file) =~ s/^--.*\n//gmr;
}
$dbh->do('CREATE TABLE schema_migrations (version INT UNSIGNED NOT NULL PRIMARY KEY, name VARCHAR(255) NOT NULL, applied_at DATETIME(3) NOT NULL DEFAULT (UTC_TIMESTAMP(3)))');
$dbh->do("INSERT INTO schema_migrations (version, name) VALUES ($_, 'of old')") for 1 .. 3;
$t->befriend(@people);

sub when_ { my ($n) = @_; return sprintf '2026-01-%02d %02d:%02d:%02d.%03d', 1 + $n / 86400, $n / 3600 % 24, $n / 60 % 60, $n % 60, $n % 1000 }

# Conversation by conversation, what a server of version 3 would have left there.
my %talk;
my ($now, $id) = (0, 0);
for my $i (0 .. $#people) {
	for my $k ($i + 1 .. $#people) {
		$id++;
		my @side = @people[$i, $k];
		my $c = $talk{$id} = {id => $id, side => \@side, read_seq => {map { $_ => 0 } @side}, message => [], changes => 0};
		for my $seq (1 .. 20 + int rand 100) {
			my $from = int rand 2;
			push @{$c->{message}}, {id => ($id << 28) + $seq, seq => $seq, from => $side[$from], to => $side[1 - $from], at => when_($now += 7), deleted => {}};
			my $m = $c->{message}[int rand @{$c->{message}}];
			my $what = rand;
			if ($what < 0.1) {
				my $user = $side[int rand 2];
				$_->{read} //= when_($now) for grep { $_->{to} eq $user && $_->{seq} <= $m->{seq} } @{$c->{message}};
				$c->{read_seq}{$user} = $m->{seq} if $m->{seq} > $c->{read_seq}{$user};
			} elsif ($what < 0.15) {
				$m->{read} //= when_($now);
			} elsif ($what < 0.25) {
				$m->{recalled} //= when_($now);
			} elsif ($what < 0.35) {
				$m->{deleted}{$side[int rand 2]} = 1;
			}
		}
	}
}

sub unread { my ($c, $user) = @_; return scalar grep { $_->{to} eq $user && !$_->{read} && !$_->{recalled} && !$_->{deleted}{$user} } @{$c->{message}} }
sub seen { my ($c, $user) = @_; return grep { !$_->{deleted}{$user} } @{$c->{message}} }

$dbh->begin_work;
for my $c (values %talk) {
	my ($one, $two) = @{$c->{side}};
	for my $m (@{$c->{message}}) {
		$dbh->do('INSERT INTO messages VALUES (?,?,?,0,?,NULL,NULL,?,NULL,?,?,?,?,?,?,?)', undef, @$m{qw(id from to)}, $m->{recalled} ? undef : "text $m->{seq}", " $m->{id}",
			$m->{read} ? 1 : 0, $m->{read}, $m->{recalled} ? 1 : 0, $m->{recalled}, map({ $m->{deleted}{$_} ? 1 : 0 } @$m{qw(from to)}), $m->{at});
	}
	my @last = map { my @s = seen($c, $_); @s ? $s[-1]{id} : 0 } $one, $two;
	$dbh->do('INSERT INTO conversations (id,user1_id,user2_id,last_seq,last_message_time,sort_time,user1_unread,user2_unread,user1_last_id,user2_last_id,user1_read_seq,user2_read_seq,created_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)',
		undef, $c->{id}, $one, $two, scalar @{$c->{message}}, ($c->{message}[-1]{at}) x 2, unread($c, $one), unread($c, $two), @last, @{$c->{read_seq}}{$one, $two}, $c->{message}[0]{at});
}

$dbh->commit;

# ---- and now ----

$t->migrate;
is_deeply [$t->recount_faults], [], 'the counters agree with the rows';
$t->node->start;

sub time_ { my ($sql) = @_; return defined $sql ? $sql =~ s/ /T/r . 'Z' : undef }

sub is_as_before {
	my ($when) = @_;
	for my $user (@people) {
		my $http = $t->api($user);
		my @mine = sort { $b->{message}[-1]{at} cmp $a->{message}[-1]{at} } grep { grep { $_ eq $user } @{$_->{side}} } values %talk;
		my $list = $http->get('/messages/conversations?limit=50')->json->{items};
		is_deeply [map { [$_->{id}, $_->{unread_count}, $_->{read_seq}, $_->{peer_read_seq}, $_->{peer_delivered_seq}, $_->{last_message} && $_->{last_message}{id}] } @$list],
			[map { my $c = $_; my ($peer) = grep { $_ ne $user } @{$c->{side}}; my @s = seen($c, $user);
				["$c->{id}", unread($c, $user), @{$c->{read_seq}}{$user, $peer, $peer}, @s ? "$s[-1]{id}" : undef] } @mine], "$when: the list of $user";
		my $sum = 0;
		$sum += unread($_, $user) for @mine;
		is $http->get('/messages/unread-count')->json->{unread_count}, $sum, "$when: and how many are unread";
		for my $c (@mine) {
			my @items;
			while (1) {
				my $page = $http->get("/messages/conversations/$c->{id}/messages?limit=50&after=" . (@items ? $items[-1]{seq} : 0))->json;
				push @items, @{$page->{items}};
				last if !$page->{has_more};
			}
			is_deeply [map { [$_->{seq}, @$_{qw(from_user_id content read_at recalled_at)}, $_->{is_read} ? 1 : 0] } @items],
				[map { [$_->{seq}, $_->{from}, $_->{recalled} ? undef : "text $_->{seq}", time_($_->{read}), time_($_->{recalled}), $_->{read} ? 1 : 0] } seen($c, $user)],
				"$when: the history of $c->{id} for $user";
		}
	}
	return;
}

is_as_before('migrated');

# Reading goes on from what was read before: in the middle, and to the end.
for my $c (values %talk) {
	my ($user) = @{$c->{side}};
	for my $up_to (int @{$c->{message}} * 0.9, scalar @{$c->{message}}) {
		my @marked = grep { $_->{to} eq $user && !$_->{read} && $_->{seq} <= $up_to } @{$c->{message}};
		my $moves = $up_to > $c->{read_seq}{$user};
		my $e = $t->api($user)->put("/messages/conversations/$c->{id}/read", {up_to_seq => $up_to})->json;
		$c->{read_seq}{$user} = $up_to if $moves;
		if (@marked) {
			my $item = $t->api($user)->get("/messages/conversations/$c->{id}/messages?limit=1&after=" . ($marked[0]{seq} - 1))->json->{items}[0];
			my ($visible) = grep { !$_->{deleted}{$user} } @marked;
			$item = $t->api($user)->get("/messages/conversations/$c->{id}/messages?limit=1&after=" . ($visible->{seq} - 1))->json->{items}[0] if $visible;
			my $at = $visible ? $item->{read_at} =~ s/T/ /r =~ s/Z\z//r : when_($now);
			$_->{read} = $at for @marked;
		}
		is_deeply [@$e{qw(marked unread_count read_seq)}], [scalar(@marked), unread($c, $user), $c->{read_seq}{$user}], "conversation $c->{id} read up to $up_to";
	}
}
is_as_before('read');
is_deeply [$t->recount_faults], [], 'the counters agree with the rows';

$t->stop;
done_testing;
