#!/usr/bin/perl
# Send a message with Net::SMTP and Authen::SASL.
# usage: send.pl PORT IMPLICIT CA-FILE PASSWORD SENDER MESSAGE RECIPIENT...
use strict;
use warnings;
use Net::SMTP;

my ($port, $implicit, $ca, $password, $sender, $file, @recipients) = @ARGV;
my @tls = (SSL_ca_file => $ca, SSL_verify_mode => 1);
my $smtp = Net::SMTP->new('localhost', Port => $port, Timeout => 30,
    SSL => $implicit, @tls) or die "connect: $@\n";

sub must {
    my ($what, $fine) = @_;
    die "$what: ", $smtp->code, ' ', $smtp->message unless $fine;
}
must('STARTTLS', $smtp->starttls(@tls)) unless $implicit;
must('AUTH', $smtp->auth('demo', $password));
must('MAIL', $smtp->mail($sender));
must('RCPT', $smtp->to(@recipients));
open my $message, '<:raw', $file or die "$file: $!\n";
must('DATA', $smtp->data);
must('content', $smtp->datasend($_)) while <$message>;
must('end', $smtp->dataend);
$smtp->quit;
