# SPDX-License-Identifier: BSD-2-Clause
# Proves that no list becomes much larger than 1 MiB, whatever is in it: fewer items come, at least one, and the pages
# together are the whole list, nothing left out or twice. A control character takes six bytes of JSON.
use Tidings;

use constant {MIB => 1 << 20, CONTENT => 16_000, MESSAGES => 24, PEERS => 23};

my $t = Tidings->start(workers => 1);
my $dbh = $t->dbh;
my $alice = $t->api('alice');
my @peers = map { sprintf 'p%02d', $_ } 1 .. PEERS;
my $text = "REPEAT(CHAR(1), ${\CONTENT})";

$t->befriend('alice', $_) for 'bob', @peers;
my $cid = $t->api('alice')->post('/messages/send', text_to('bob', 'first'))->json->{conversation_id};
$dbh->do("INSERT INTO messages (id, from_user_id, to_user_id, message_type, content, client_msg_id, created_at) SELECT ($cid << 28) + seq, 'bob', 'alice', 0, $text, CONCAT('big', seq), UTC_TIMESTAMP(3) FROM seq_2_to_${\MESSAGES}");
$dbh->do("UPDATE conversations SET last_seq = ${\MESSAGES}, user1_last_id = ($cid << 28) + ${\MESSAGES}, user2_last_id = ($cid << 28) + ${\MESSAGES}, user1_unread = ${\MESSAGES} - 1 WHERE id = $cid");
for my $peer (@peers) {
	my $id = $t->api($peer)->post('/messages/send', text_to('alice', 'x'))->json->{id};
	$dbh->do("UPDATE messages SET content = $text WHERE id = $id");
}
$dbh->do("INSERT INTO notifications (id, user_id, kind, ref, body, created_at) SELECT seq << 20, 'alice', 'kind', CONCAT('{\"n\":\"', REPEAT('r', 4000), '\"}'), REPEAT(CHAR(1), 4000), UTC_TIMESTAMP(3) FROM seq_1_to_60");

# All pages of a list, by what the next one is asked for with; tells the most bytes and the number of pages too.
sub pages {
	my ($get, $next) = @_;
	my (@items, $most, $pages, $at);
	do {
		my $r = $get->($at);
		return diag($r->body) if $r->status != 200;
		$most = length $r->body if length $r->body > ($most // 0);
		my $list = $r->json;
		return diag("page $pages is empty") if !@{$list->{items}};
		push @items, $list->{items};
		$at = $next->($list);
		$pages++;
	} while defined $at && $pages < 200;
	return {items => \@items, most => $most, pages => $pages};
}

sub is_bounded {
	my ($p, $what) = @_;
	cmp_ok $p->{most}, '<=', MIB * 1.05, "$what: no answer is much larger than 1 MiB";
	cmp_ok $p->{most}, '>=', MIB * 0.5, "$what: and none needlessly small";
	cmp_ok $p->{pages}, '>', 1, "$what: in several pages";
	return;
}

subtest 'history' => sub {
	my $path = "/messages/conversations/$cid/messages?limit=100";
	my $up = pages(sub { $alice->get($path . (defined $_[0] ? "&before=$_[0]" : '')) }, sub { $_[0]{has_more} ? $_[0]{items}[0]{seq} : undef });
	is_bounded($up, 'upwards');
	is_deeply [map { $_->{seq} } map { @$_ } reverse @{$up->{items}}], [1 .. MESSAGES], 'upwards: all, in order';
	my $down = pages(sub { $alice->get("$path&after=" . ($_[0] // 0)) }, sub { $_[0]{has_more} ? $_[0]{items}[-1]{seq} : undef });
	is_bounded($down, 'downwards');
	is_deeply [map { $_->{seq} } map { @$_ } @{$down->{items}}], [1 .. MESSAGES], 'downwards: all, in order';
};

my $cursor = sub { $_[0]{next_cursor} };

subtest 'conversations' => sub {
	my $list = pages(sub { $alice->get('/messages/conversations?limit=100' . (defined $_[0] ? "&cursor=$_[0]" : '')) }, $cursor);
	is_bounded($list, 'conversations');
	is_deeply [sort map { $_->{peer}{user_id} } map { @$_ } @{$list->{items}}], ['bob', @peers], 'each once';
};

subtest 'notifications' => sub {
	my $list = pages(sub { $alice->get('/notifications?limit=100' . (defined $_[0] ? "&cursor=$_[0]" : '')) }, $cursor);
	is_bounded($list, 'notifications');
	is_deeply [map { $_->{id} >> 20 } map { @$_ } @{$list->{items}}], [reverse 1 .. 60], 'each once, the newest first';
};

subtest 'sync' => sub {
	my @ids = map { $_->[0] } @{$dbh->selectall_arrayref('SELECT id FROM conversations ORDER BY id')};
	my %seq = map { $_ => 0 } @ids;
	my ($most, $calls, $messages) = (0, 0, 0);
	while ($calls++ < 200) {
		my $r = $alice->post('/messages/sync', {conversations => [map { {id => "$_", seq => $seq{$_}, change_seq => 0} } @ids], since => undef, limit => 100});
		$most = length $r->body if length $r->body > $most;
		my $answer = $r->json;
		for my $c (@{$answer->{conversations}}) {
			my @got = map { $_->{seq} } @{$c->{messages}};
			is_deeply \@got, [$seq{$c->{conversation}{id}} + 1 .. $seq{$c->{conversation}{id}} + @got], 'what follows' or return;
			$seq{$c->{conversation}{id}} += @got;
			$messages += @got;
		}
		last if !$answer->{more} && !grep { $_->{has_more} } @{$answer->{conversations}};
	}
	# An entry has its conversation's last message besides.
	cmp_ok $most, '<=', MIB * 1.05, 'no answer is much larger than 1 MiB';
	is $messages, MESSAGES + PEERS, 'all messages, each once';
	cmp_ok $calls, '>', 3, 'in several calls';
};

$t->stop;
done_testing;
