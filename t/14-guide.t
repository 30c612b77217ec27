# SPDX-License-Identifier: BSD-2-Clause
# Proves doc/api.md: its lines of shell work as they stand, one after the other, its frames and texts of JSON are valid,
# and its tables agree with the documents of the API.
use Tidings;
use Tidings::Curl;
use Tidings::Spec;
use Tidings::Util qw(run slurp spew);
use JSON::PP ();

my $top = Tidings::top();
my $guide = slurp("$top/doc/api.md");
my $json = JSON::PP->new->utf8;
my %blocks = (sh => [], json => []);
push @{$blocks{$1}}, $2 while $guide =~ /^```(\w+)\n(.*?)^```$/msg;

subtest 'the lines of shell' => sub {
	my $t = Tidings->start(workers => 2);
	$t->node->ctl_ok('stickers', 'import', "$top/contrib/stickers/tide"); # as contrib/quickstart does
	my @lines = map { split /\n/ } @{$blocks{sh}};
	cmp_ok scalar @lines, '>=', 20, 'are where this test looks';
	# Each says what it is about to do, so that the one that fails is named.
	my $script = spew(Tidings::dir() . '/guide.sh', join "\n", 'set -e', "URL=http://" . $t->node->address, map { ('printf "\n> %s\n" ' . "'" . s/'/'\\''/gr . "'", $_) } @lines);
	my $curl = Tidings::Curl->new(Tidings::dir());
	my ($status, $out, $err) = do { local $ENV{PATH} = $curl->path; run(Tidings::dir(), 'sh', $script) };
	is $status, 0, 'work' or diag("$out\n$err");
	is $curl->check, scalar(() = "@lines" =~ /\bcurl /g), 'and what they send and get is as documented';
	my ($ann, $ben) = map { $t->api("guide-$_") } qw(ann ben);
	my ($group, $c) = @{$ann->get('/messages/conversations')->json->{items}};
	is_deeply [$group->{kind}, $group->{group}{name}, $group->{group}{member_count}], ['group', 'Sunday walkers', 2], 'the group was made once';
	my @messages = @{$ann->get("/messages/conversations/$c->{id}/messages")->json->{items}};
	is_deeply [map { $_->{client_msg_id} } @messages], ['guide-1', 'guide-2', 'guide-6', undef, 'guide-5', 'guide-expires-1', (undef) x 3], 'what was sent twice is there once';
	ok $messages[2]{media_url}, 'a sticker has its picture';
	ok $messages[3]{is_recalled}, 'the mistake is recalled';
	is_deeply [$messages[4]{content}, $messages[4]{entities}[0]{type}, defined $messages[4]{edited_at}], ['hello Ben', 'bold', 1], 'another is edited';
	ok $messages[5]{expires_at}, 'one will expire';
	is_deeply [map { $_->{content} // $_->{message_type} } @messages[6 .. 8]], ['look', 'hello Ben', 'forward'], 'it is forwarded, and merged';
	my ($mistake) = grep { !defined $_->{client_msg_id} } @messages;
	is $ben->get("/messages/$mistake->{id}")->status, 404, 'and the mistake hidden from the one who deleted it';
	my @left = map { $_->{seq} } @{$ben->get("/messages/conversations/$c->{id}/messages")->json->{items}};
	is_deeply \@left, [grep { $_ >= $ben->get("/messages/conversations/$c->{id}")->json->{first_seq} } map { $_->{seq} } @messages], 'who has also cleared the history';
	cmp_ok scalar(@left), '<', @messages, 'all or a part of it';
	$t->stop;
};

subtest 'the texts of JSON' => sub {
	my $messages = Tidings::Spec::open_schemas()->data->{asyncapi}{components}{messages};
	my $problem = Tidings::Spec::open_schemas()->data->{openapi}{components}{schemas}{Problem};
	my $count = 0;
	for my $data (map { map { $json->decode($_) } split /\n/ } @{$blocks{json}}) {
		my $type = $data->{type};
		my ($name) = grep { exists $messages->{$_} } $type, "${type}Event";
		my @faults = Tidings::Spec::open_schemas()->validate($data, $name ? $messages->{$name}{payload} : $problem);
		is "@faults", '', $name // 'a problem';
		$count++;
	}
	cmp_ok $count, '>=', 6, 'are where this test looks';
};

subtest 'the tables' => sub {
	my ($openapi) = Tidings::Spec::documents();
	my ($kinds) = $guide =~ /^(\| kind \|.*?)\n\n/ms;
	is_deeply [$kinds =~ /^\| `(\w+)` \|/mg], [$openapi->{components}{schemas}{NotificationKind}{description} =~ /^\| `(\w+)` \|/mg], 'every kind of notification of the server itself';
	my @links = grep { !-e "$top/doc/$_" } $guide =~ /\]\(([\w.]+)\)/g;
	is_deeply \@links, [], 'every link leads somewhere';
};

done_testing;
