# SPDX-License-Identifier: BSD-2-Clause
# Proves contrib/import: an export of Mattermost becomes people, groups and messages that users see; what is lost is counted;
# sending it in small requests, again, and past a server that is away doubles nothing and names what was refused.
use Tidings;
use Tidings::Util qw(run slurp spew);
use JSON::PP ();

my $node = $ENV{NODE} || 'node';
plan skip_all => 'Node.js is not installed' if !grep { -x "$_/$node" || -x $node } split /:/, $ENV{PATH};
my ($top, $dir) = (Tidings::top(), Tidings::dir());
my $t = Tidings->start(workers => 1, conf => {accounts => 'true'});
my $json = JSON::PP->new->canonical->utf8;

my $begin = 1551427200000; # 2019-03-01T08:00:00Z
sub post { my ($user, $n, $text, %more) = @_; return {user => $user, type => '', message => $text, create_at => $begin + $n, reactions => undef, replies => undef, attachments => undef, %more} }
my %team = (team => 'main', channel => 'town-square');
my @export = (
	{type => 'version', version => 1, info => {generator => 'mattermost-server'}},
	{type => 'role', role => {name => 'channel_admin'}},
	{type => 'team', team => {name => 'main', display_name => 'Main', type => 'O'}},
	{type => 'channel', channel => {team => 'main', name => 'town-square', display_name => "Town\nSquare", type => 'O', header => '', purpose => 'For all'}},
	{type => 'channel', channel => {team => 'main', name => 'empty', display_name => 'Empty', type => 'P'}},
	(map { {type => 'user', user => {username => $_->[0], nickname => $_->[1], first_name => 'First', last_name => 'Last', delete_at => $_->[2], teams => [{name => 'main', roles => 'team_user', channels => [{name => 'town-square', roles => $_->[3]}]}]}} }
		['zoe', "Zo\x{eb}", 0, 'channel_user channel_admin'], ['yan', '', 0, 'channel_user'], ['xia', 'X', 5, 'channel_user']),
	{type => 'post', post => {%team, %{post('yan', 9000, 'the newest')}}},
	{type => 'post', post => {%team, %{post('zoe', 1000, 'a question?', reactions => [{user => 'yan', emoji_name => 'smile', create_at => $begin}])}, replies => [post('yan', 5000, 'an answer', reactions => [{}, {}]), post('gone', 2000, 'an earlier answer')]}},
	{type => 'post', post => {%team, %{post('yan', 1, 'yan joined', type => 'system_join_channel')}}},
	{type => 'post', post => {%team, %{post('yan', 3000, '', attachments => [{path => 'data/2019/a b.pdf'}])}}},
	{type => 'post', post => {%team, %{post('zoe', 4000, "\x{20ac}" x 7000)}}},
	{type => 'direct_channel', direct_channel => {members => ['zoe', 'yan', 'xia']}},
	{type => 'direct_post', direct_post => {channel_members => ['zoe', 'yan'], %{post('yan', 700, 'hi zoe')}}},
	{type => 'direct_post', direct_post => {channel_members => ['yan', 'zoe'], %{post('zoe', 600, 'hi yan')}}},
	{type => 'direct_post', direct_post => {channel_members => ['zoe'], %{post('zoe', 600, 'to do')}}},
	{type => 'direct_post', direct_post => {channel_members => ['xia', 'zoe', 'yan'], %{post('xia', 800, 'we three')}}},
);
spew("$dir/export.jsonl", join '', map { $json->encode($_) . "\n" } @export);
my ($status, $lines, $told) = run($dir, $node, "$top/contrib/import/mattermost/convert.js", "$dir/export.jsonl");
is $status, 0, 'converted' or diag($told);
is_deeply [sort map { /^not imported: (.*)/ ? $1 : $_ } split /\n/, $told], [sort '3 reactions', '1 posts to oneself', '1 attachments', '1 posts of the system', '1 posts without a text', '1 channels without members, with their posts', '1 lines of type role', '1 users that are deactivated there: disable them here'], 'what is lost is counted';
spew("$dir/lines", $lines);

my $admin = $t->node->admin_http;
my $url = "http://$t->{nodes}[0]{admin}";
spew("$dir/token", $t->token('ops', scope => 'admin') . "\n");
sub send_lines { my ($file, @more) = @_; return run($dir, {input => slurp($file)}, $node, "$top/contrib/import/send.js", '--url', $url, '--token-file', "$dir/token", @more) }

my ($sent, $out, $err) = send_lines("$dir/lines", '--chunk', 700);
is $sent, 0, 'sent' or diag($err);
is_deeply $json->decode($out), {imported => {user => 3, friendship => 1, group => 2, message => 9}, skipped => 0}, 'all of it is imported';
cmp_ok scalar(() = $err =~ /lines$/mg), '>', 3, 'in several requests';
(undef, $out) = send_lines("$dir/lines");
is_deeply $json->decode($out), {imported => {user => 0, friendship => 0, group => 0, message => 0}, skipped => 15}, 'and is there when it is sent again';

my $zoe = $t->api('zoe');
is $zoe->get('/users/me')->json->{nickname}, "Zo\x{eb}", 'a nickname';
is $t->api('zoe')->get('/users/yan')->json->{nickname}, 'First Last', 'or a name';
my %by = map { ($_->{group}{name} // $_->{peer}{user_id}) => $_ } @{$zoe->get('/messages/conversations')->json->{items}};
is_deeply [sort keys %by], ['Town Square', 'xia, yan, zoe', 'yan'], 'conversations';
is_deeply [$by{'Town Square'}{group}{owner_id}, $by{'Town Square'}{group}{about}, $by{'Town Square'}{unread_count}], ['zoe', 'For all', 0], 'a channel';
my @said = grep { $_->{message_type} ne 'system' } @{$zoe->get("/messages/conversations/$by{'Town Square'}{id}/messages")->json->{items}};
is_deeply [map { "$_->{from_user_id}: " . substr $_->{content}, 0, 17 } @said], ['zoe: a question?', 'gone: an earlier answer', 'zoe: ' . "\x{20ac}" x 17, 'zoe: ' . "\x{20ac}" x 17, 'yan: an answer', 'yan: the newest'], 'posts and replies, in order of time';
is_deeply [map { $_->{reply_to} } @said], [undef, $said[0]{id}, undef, undef, $said[0]{id}, undef], 'replies answer their thread\'s first post';
is $said[2]{content} . $said[3]{content}, "\x{20ac}" x 7000, 'a long text is cut between characters';
is $said[0]{created_at}, '2019-03-01T08:00:01.000Z', 'at its time';
is_deeply [map { $_->{content} } @{$zoe->get("/messages/conversations/$by{yan}{id}/messages")->json->{items}}], ['hi yan', 'hi zoe'], 'direct messages';
is $zoe->post('/messages/send', text_to('yan', 'and on it goes'))->status, 201, 'who wrote to each other are friends';
is_deeply [$t->recount_faults], [], 'all counts are right';

my ($again, $with_files) = run($dir, $node, "$top/contrib/import/mattermost/convert.js", '--files', 'https://files.example/', '--no-friends', "$dir/export.jsonl");
my @with = map { $json->decode($_) } split /\n/, $with_files;
is_deeply [map { @$_{qw(media_url created_at)}, $_->{extra} } grep { ($_->{message_type} // '') eq 'file' } @with], ['https://files.example/data/2019/a%20b.pdf', '2019-03-01T08:00:03.000Z', {file_name => 'a b.pdf'}], 'attachments, where they are served';
is_deeply [grep { $_->{type} eq 'friendship' } @with], [], 'and no friends, where they are not wanted';

spew("$dir/bad", "{\"type\":\"user\",\"user_id\":\"one\"}\n{}\n{\"type\":\"user\",\"user_id\":\"two\"}\n{\"type\":\"user\"}\n");
my ($failed, undef, $faults) = send_lines("$dir/bad", '--chunk', 40);
is $failed, 1, 'what was refused is told';
is_deeply [$faults =~ /^line (\d+): \w/mg], [2, 4], 'by the numbers of the lines';
$t->node->stop;
my ($away) = run($dir, {input => slurp("$dir/bad")}, 'timeout', 2, $node, "$top/contrib/import/send.js", '--url', $url, '--token-file', "$dir/token");
is $away, 124, 'a server that is away is waited for';
my ($broken, undef, $why) = run($dir, $node, "$top/contrib/import/mattermost/convert.js", "$top/README.md");
is_deeply [$broken != 0, $why], [1, "$top/README.md, line 1: is not JSON\n"], 'what is no export';
$t->stop;
done_testing;
