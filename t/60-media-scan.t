# SPDX-License-Identifier: BSD-2-Clause
# Proves that a scanner is asked about each file before it is taken: one that speaks as clamd does (INSTREAM), and a program; and what
# becomes of uploads while it is away, slow in answering, or says something else.
use Tidings;
use Tidings::Util qw(spew slurp);
use IO::Socket::UNIX;

my $dir = Tidings::dir();
my ($directory, $socket) = ("$dir/media", "$dir/clamd");
mkdir $directory or die "$directory: $!\n";

# A clamd that knows one virus, and says what it has received.
my $listener = IO::Socket::UNIX->new(Local => $socket, Listen => 10) or die "$socket: $!\n";
my $clamd = fork // die "fork: $!\n";
if (!$clamd) {
	while (my $c = $listener->accept) {
		my ($bytes, $head) = ('', '');
		read $c, $head, 10;
		while (read $c, (my $length), 4) {
			my $n = unpack 'N', $length or last;
			read $c, (my $part), $n;
			$bytes .= $part;
		}
		spew("$dir/received", $bytes);
		my $answer = $head ne "zINSTREAM\0" ? 'UNKNOWN COMMAND' : $bytes =~ /virus/ ? 'stream: Test-Virus FOUND' : $bytes =~ /strange/ ? 'INSTREAM size limit exceeded. ERROR' : 'stream: OK';
		print {$c} "$answer\0" if $bytes !~ /silent/;
	}
	exit 0;
}
END { local $?; kill 'KILL', $clamd if $clamd }

my $t = Tidings->start(workers => 1, conf => {media => {directory => $directory, scanner => "unix:$socket"}, limits => {requests_per_second => 0}});
my $alice = $t->api('alice');
sub upload { my ($bytes) = @_; return $alice->request('POST', '/media?name=x', headers => ['Content-Type', 'text/plain'], body => $bytes) }
sub left { return scalar(() = glob "$directory/*/*/*") }

my $whole = 'clean ' x 50_000;
is upload($whole)->status, 201, 'a file that may pass';
is slurp("$dir/received"), $whole, 'all of it was asked about';
is upload('')->status, 201, 'an empty one';
my $before = left();
my $r = upload('a virus');
is_deeply [$r->status, $r->json->{code}, $r->json->{detail}], [400, 'invalid_argument', 'the file is refused: the scanner does not let it pass'], 'one that may not';
wait_for('it to go', sub { left() == $before });
is upload($_)->status, 503, "an answer that is neither: $_" for 'strange', 'silent';
kill 'KILL', $clamd;
waitpid $clamd, 0;
undef $clamd;
close $listener;
is upload('clean')->status, 503, 'while it is away nothing is taken';

# It goes on where it stopped once the scanner is there again; now it is a program.
my @tus = ('Tus-Resumable', '1.0.0');
my $path = $alice->request('POST', '/media', headers => [@tus, 'Upload-Length', 5])->header('location');
is $alice->request('PATCH', $path, headers => [@tus, 'Content-Type', 'application/offset+octet-stream', 'Upload-Offset', 0], body => 'clean')->status, 503, 'by tus neither';
spew("$dir/scanner", "#!/bin/sh\ncat > '$dir/received'\ngrep -q strange '$dir/received' && exit 7\n! grep -q virus '$dir/received'\n", 0755);
$t->node->configure({%{$t->node->{conf}}, media => {directory => $directory, scanner => "$dir/scanner"}});
$t->node->reload;
$alice = $t->http('alice'); # at a new worker
is $alice->request('HEAD', $path, headers => \@tus)->header('upload-offset'), 5, 'all of it is here';
is $alice->get("$path/info")->json->{size}, 5, 'and it is complete once the scanner can be asked';
is upload($whole)->status, 201, 'a program lets it pass';
is slurp("$dir/received"), $whole, 'of which it has read all';
is upload('a virus')->status, 400, 'or does not';
is upload('strange')->status, 503, 'or fails';

# Those of one who brings many wait for one another, and not others for all of them.
spew("$dir/scanner", "#!/bin/sh\nhead -c 1 >> '$dir/order'\ncat > /dev/null\nwhile [ ! -e '$dir/go' ]; do sleep 0.05; done\n", 0755);
my @eve = map { $t->http('eve') } 1 .. 4;
my $parts = sub { return scalar grep { -s $_ == 3 } glob "$directory/*/*/*.part" };
my $post = sub { $_[0]->send_request('POST', '/media?name=x', headers => ['Content-Type', 'text/plain'], body => $_[1]); return };
$parts->() == 0 or die;
$post->($_, 'eve') for @eve;
wait_for('the scanner to have one', sub { -s "$dir/order" && $parts->() == 4 });
my $bob = $t->http('bob');
$post->($bob, 'bob');
wait_for('the file of another', sub { $parts->() == 5 });
spew("$dir/go", '');
is $_->response->status, 201, 'all pass' for $bob, @eve;
like slurp("$dir/order"), qr/\Ae{1,3}be+\z/, 'the other does not wait for all of them';

$t->node->configure({%{$t->node->{conf}}, media => {directory => $directory, scanner => "$dir/none"}});
$t->node->reload;
$alice = $t->http('alice'); # at a new worker
is upload('clean')->status, 503, 'or is not there';
$t->node->allow_log(qr/media\.scanner/) if $t->node->can('allow_log');
$t->stop;
done_testing;
