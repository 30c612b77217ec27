# SPDX-License-Identifier: BSD-2-Clause
# Proves contrib/examples/echo_bot.mjs: it becomes a friend, answers each text once, also those that came while it was away, and
# does not answer itself, other bots' answers, or a group that does not mention it.
use Tidings;
use Tidings::Script;
use Tidings::Util qw(spawn signal_and_reap slurp);

my @node = Tidings::Script::node_command(Tidings::dir());
plan skip_all => 'no Node.js from 18 on with a WebSocket (NODE names another one; node-ws brings it)' if !@node;
my $t = Tidings->start(workers => 1, conf => {accounts => 'true'});
is $t->http(undef, token => undef)->post('/users/register', {user_id => $_, password => 'long enough'})->status, 201, "an account for $_" for qw(echo ann);
my $ann = $t->api('ann');
my $log = Tidings::dir() . '/bot.log';

sub bot {
	my %env = (TIDINGS_URL => 'http://' . $t->node->address, BOT_USER => 'echo', BOT_PASSWORD => 'long enough', NODE_PATH => '/usr/share/nodejs');
	my $pid = spawn(log => $log, env => \%env, cmd => [@node, Tidings::top() . '/contrib/examples/echo_bot.mjs']);
	wait_for('the bot', sub { -e $log && slurp($log) =~ /echo is there/ });
	return $pid;
}
sub said { my ($id) = @_; return map { "$_->{from_user_id}: $_->{content}" } grep { $_->{message_type} eq 'text' } @{$ann->get("/messages/conversations/$id/messages")->json->{items}} }
sub answered { my ($id, $n) = @_; return wait_for("$n messages", sub { my @all = said($id); @all >= $n ? \@all : undef }) }

is $ann->post('/friends/requests', {user_id => 'echo'})->status, 201, 'a request before it is there';
my $pid = bot();
wait_for('a friend', sub { @{$ann->get('/friends')->json->{items}} });
my $first = $ann->post('/messages/send', text_to('echo', 'hello'))->json;
my $id = $first->{conversation_id};
is_deeply answered($id, 2), ['ann: hello', 'echo: hello'], 'it answers';
my ($answer) = grep { $_->{from_user_id} eq 'echo' } @{$ann->get("/messages/conversations/$id/messages")->json->{items}};
is $answer->{reply_to}, $first->{id}, 'by a reply';
is $ann->post('/messages/send', {%{text_to('echo', 'an answer')}, reply_to => $answer->{id}})->status, 201, 'a reply to that';

my $group = $t->group('ann', ['echo']);
$t->say('ann', $group, 'not to it');
is $ann->post('/messages/send', {conversation_id => $group, message_type => 'text', content => 'and you?', mentions => ['echo']})->status, 201, 'a mention';
is_deeply answered($group, 3), ['ann: not to it', 'ann: and you?', 'echo: and you?'], 'in a group it answers that alone';
is_deeply [said($id)], ['ann: hello', 'echo: hello', 'ann: an answer'], 'and a reply it has not answered';

signal_and_reap($pid, 'TERM');
$ann->post('/messages/send', text_to('echo', "while away $_")) for 1 .. 3;
unlink $log;
$pid = bot();
is_deeply [sort grep { /away/ } @{answered($id, 9)}], [map({ "ann: while away $_" } 1 .. 3), map({ "echo: while away $_" } 1 .. 3)], 'what came while it was away';
signal_and_reap($pid, 'TERM');
is_deeply [slurp($log) =~ /(refused|Error)/g], [], 'without a fault';
$t->stop;
done_testing;
